// SPDX-License-Identifier: Apache-2.0
// One upload: progress, cancel. XHR, because fetch shows no upload progress.
// The surfaces offer it only when `welcome.limits.file_bytes` is above 0.

export interface Upload {
  done: Promise<{ id: string; url?: string }>;
  cancel(): void;
}

export function upload(
  file: Blob,
  o: { url: string; conversation: string; token?: string; onProgress?: (share: number) => void },
): Upload {
  const xhr = new XMLHttpRequest();
  const form = new FormData();
  form.append('file', file);
  form.append('conversation', o.conversation);
  const done = new Promise<{ id: string; url?: string }>((resolve, reject) => {
    xhr.upload.onprogress = (e) => {
      if (e.lengthComputable) o.onProgress?.(e.loaded / e.total);
    };
    xhr.onload = () => {
      if (xhr.status < 200 || xhr.status > 299) return reject(new Error('HTTP ' + xhr.status));
      try {
        resolve(JSON.parse(xhr.responseText) as { id: string; url?: string });
      } catch (e) {
        reject(e as Error);
      }
    };
    xhr.onerror = () => reject(new Error('offline'));
    xhr.onabort = () => reject(new Error('cancelled'));
    xhr.open('POST', o.url);
    xhr.setRequestHeader('X-Yuelai', '1');
    if (o.token !== undefined) xhr.setRequestHeader('Authorization', 'Bearer ' + o.token);
    xhr.send(form);
  });
  return { done, cancel: () => xhr.abort() };
}
