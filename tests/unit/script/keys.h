/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h - keys made for the tests of crypto, and signatures another library
 * (Python's cryptography) made with them over the UTF-8 text
 * "\u8f6c\u8d26 100 \u5143". They open nothing. */
#pragma once
/* clang-format off */
#define RSA_KEY \
    "-----BEGIN PRIVATE KEY-----\n" \
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCbZvTi4fZ8LM0e\n" \
    "bFo5Sy5RVNCgpVYzU2v3ld42rav0W4psNmgcHUT7evUcZo35K854D+oKgWX9kFZZ\n" \
    "02Jvk9ppYCDb77qkZxx0fC1tpA7UnfnYqWwS4VgMoZokt+2sZD1Kduu7Pgv5jPQO\n" \
    "Qto5195GxowO0YhtgUvSoHSOJ6BrHBLsINWHFFIjgp8Bf7uBwvTIHEL7sTxuN209\n" \
    "GHiG7k3rpf3az9Rv4CiNcn4kH5FtCXcl9oyr8lxWAI3IKBALjsDfjWJFoV0v/J8u\n" \
    "Tt3H+zG0dknurSLccHMlXBnyMQ66QAa+TMTV1f9Fsmf7BMkWSkf6R1YaDXkKYI0P\n" \
    "LuRzpY63AgMBAAECggEAHR8+rhPtZpjYuaZRhCIgJHKyBCDn1geAmK23rmR+cHUF\n" \
    "LEFH4ljj2ALTU0auvW6lqx9EW0Kjk9CMNhokfMdm609t6Pl0byG5leS9eKoBc3vF\n" \
    "WgJp8+HR59AS/GWRfzhrufwuMfEvOk1dYRzLG4LmLzo+/fnrSKYtyONz5D3t1JRr\n" \
    "/2XBSxccoCocVG0ID5BILdpv1um33hw+sXjN8V/3im2LAi4xLZBHNoOvOFgeYpzV\n" \
    "+wX6z/CoVlXAuqK4Cf4WnTy5W6VnlVl0FZd4xK8c/eLH0A/B4kWjkuxXvTCFmceZ\n" \
    "DLr9677ATMGADslWE1ubIgdGgZvkzLxecEQqIybCuQKBgQDIgecaVMu9wm5l73Rj\n" \
    "AJYAyh8oQk5JZI/2W3c9P9dodWA3gfWIgx/VX/BqyJkQKmNFzNhvx1wjXNTcFLCj\n" \
    "KzMfx2iX0y+d1+rDwn5tA72Tbvrbu0vmKkopuks8jDwoYqVzAaj7kLBgsdOWMvMy\n" \
    "g0OciGQmDxOCrWT+o9P/ZA0RjwKBgQDGaVBCkBsfvSTDVz10sdG2V5Xzuj1sda1+\n" \
    "FB1p4cb9wh+ZhEHFW9TvKRIFmYJs0VBVOWSx/onl00i/9f4LgguDAlVd2cOr4WmX\n" \
    "p7rr7sFXK9vXh9GhilDFU4N0DNob1T0yqxPaTjCX0usXGpf+2BxjxMw8v/sBqHzh\n" \
    "qz2pndxMWQKBgGYjzn9aXOOQrT5eKfLY9JD4ZcDTbh/zC2cbFvXrlKbQzC/akyJ0\n" \
    "cX33vngXMenLPgDrpgHjE6ur+X8XRxgHxKZWpZBZ83K78ArDBDYyZps5OK9AjRx1\n" \
    "xIvXK8ZvRaHpBpE8ckGcZk0LqVZlJABCX+nYjPPaUD0MaVtSR4ddB08/AoGBAJBx\n" \
    "lPOQc56slTn8pgnxdmnX45vXJuZx2UcjH7K4oqSUkWqypSsnyqH99VfMRO4xh9kz\n" \
    "ekI2u29sXNcbH8KC/xx2M22qnk/gP34fpu4iF/D9RgPnpc6Don+1Z8qxnIuMtwvP\n" \
    "DhnsuGWfMHTWcHcgH7LmT4Wegf7YCWpEvxRfj0SpAoGAR+cAoifMgLBdP1zUbKfO\n" \
    "xV1I42sh9aua24LEnPaDvbwVkemVfEhuNpi5+4Tkn0rID3mBhKWDZsfY1zfUhkP7\n" \
    "0Ahdcwuf0c8OsNsfJEWbXjciPeaG7l2NQZI0xBgoUKH/Su+EzJmiwKEaKf74s4Ga\n" \
    "bnIcYVxUk1AdCA29SqIttAw=\n" \
    "-----END PRIVATE KEY-----\n"
#define RSA_PUBLIC \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAm2b04uH2fCzNHmxaOUsu\n" \
    "UVTQoKVWM1Nr95XeNq2r9FuKbDZoHB1E+3r1HGaN+SvOeA/qCoFl/ZBWWdNib5Pa\n" \
    "aWAg2++6pGccdHwtbaQO1J352KlsEuFYDKGaJLftrGQ9Snbruz4L+Yz0DkLaOdfe\n" \
    "RsaMDtGIbYFL0qB0jiegaxwS7CDVhxRSI4KfAX+7gcL0yBxC+7E8bjdtPRh4hu5N\n" \
    "66X92s/Ub+AojXJ+JB+RbQl3JfaMq/JcVgCNyCgQC47A341iRaFdL/yfLk7dx/sx\n" \
    "tHZJ7q0i3HBzJVwZ8jEOukAGvkzE1dX/RbJn+wTJFkpH+kdWGg15CmCNDy7kc6WO\n" \
    "twIDAQAB\n" \
    "-----END PUBLIC KEY-----\n"
#define RSA_SIGNED \
    "BNDTBOs6U3Te2b6NrWPJWXuD+2lici0Az0skNtUrMgAHMswXMvrJOHhiTEmZxXK+" \
    "GK/qsKiXylWOaxuA0xZg1bqQcrCYtHzPKztyb4ATRCfLQxLHsJpxYjNlNTYUhtJg" \
    "36YBIheuJCAKOX9bO2xSZH2hVdhp++asq5DW9YaZRqXiyrfNQV5RBGPl7vKQABEf" \
    "XhbYQj5a6yPNdIPfDkAPQZuc5JvHmLia5pIkD+SIy6mx6ju62Ow3/CAqSFOQMJtF" \
    "8WGX8A5Z0i9/Y/Nfz13r8wpODgvZy8z1dQ9hS0QE78MulpC8319ZaosvNX/5diLL" \
    "4bMA1a3Js4zBCdyQw3oZSw=="
#define PSS_SIGNED \
    "Sv5n7XQR358H7SLWVXdgzJp1UpsQ+gbFFrCQTcQIaCYUm8kSrDjz6bL6wye819qy" \
    "dFVkfaPAj1/IuqJMHJJmsat47LhIruLlSjt3JIGY8+xlFGDUFJ6xe511XUB0/KEH" \
    "6zN3Ow9ml5zWYVXmCFsNy422kKU8E3lSQR0NADahfpMlkYXL0pyYb45IlPpo9BZh" \
    "1OCu6Zdat53CNP2cTOiBECyT2o+TZFVueQg0NxBGYI4fK1Lh5tS57IRgnO0LTV42" \
    "GzSJwy5606uQkKFwUt+Id/ROi9Ne0+Z/WBYQ76wAymNX71wyIDHZnkIlsi7mwW58" \
    "efQNtFRF5GTZGAFssNgQog=="
#define RSA_CERT \
    "-----BEGIN CERTIFICATE-----\n" \
    "MIICpTCCAY2gAwIBAgIBATANBgkqhkiG9w0BAQsFADAWMRQwEgYDVQQDDAtwYXku\n" \
    "ZXhhbXBsZTAeFw0yMDAxMDEwMDAwMDBaFw00MDAxMDEwMDAwMDBaMBYxFDASBgNV\n" \
    "BAMMC3BheS5leGFtcGxlMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n" \
    "m2b04uH2fCzNHmxaOUsuUVTQoKVWM1Nr95XeNq2r9FuKbDZoHB1E+3r1HGaN+SvO\n" \
    "eA/qCoFl/ZBWWdNib5PaaWAg2++6pGccdHwtbaQO1J352KlsEuFYDKGaJLftrGQ9\n" \
    "Snbruz4L+Yz0DkLaOdfeRsaMDtGIbYFL0qB0jiegaxwS7CDVhxRSI4KfAX+7gcL0\n" \
    "yBxC+7E8bjdtPRh4hu5N66X92s/Ub+AojXJ+JB+RbQl3JfaMq/JcVgCNyCgQC47A\n" \
    "341iRaFdL/yfLk7dx/sxtHZJ7q0i3HBzJVwZ8jEOukAGvkzE1dX/RbJn+wTJFkpH\n" \
    "+kdWGg15CmCNDy7kc6WOtwIDAQABMA0GCSqGSIb3DQEBCwUAA4IBAQBHpR2WckXt\n" \
    "ol7CkZ9TnMLejclbodOe4SfkSYS4J8jhoBQH4PLktPsF+uzVHhWrI04LcOORpEwz\n" \
    "26RGgJH/1w7o2YcMJAPJx51pm7swSKiSF3RaFH1+xAYVygNG6lXDQQpYfue/LVzD\n" \
    "Ecgxf+Z3Tp78j0DVfjOl7rcg3jJRw+SwoxowO2mMAwKK1HbZhVEPgyYn9xmAa+Ib\n" \
    "qw8ec/tqKsI5GB/6pTCQ+M800uA585MNV6wdcZf3gOQDi3Yow+Fn6HddQz5e+exV\n" \
    "VMmRsPafLN+JNa9s4TZuXvi3xu7qcxkcMzFpTZ2GxsVvyai1unbyT0Ve1VXgL2eu\n" \
    "tolcVf0+ns/J\n" \
    "-----END CERTIFICATE-----\n"
#define LOCKED_KEY \
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n" \
    "MIIFNTBfBgkqhkiG9w0BBQ0wUjAxBgkqhkiG9w0BBQwwJAQQeaU7Pc4B/S3tadTK\n" \
    "s9b90AICCAAwDAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEDOX09LUzDoJFhR3\n" \
    "KPwWluoEggTQuNXcg4sTcwxYdtsjg6OeDpvJSH5q1eI39m+Di543BSxVutdpJxIe\n" \
    "oxHm7s62DPM9WKC/JIh8Kh2Pxp4J4QTZAhPNLOt2XRD/KCnvSADbWfqorKirkPPx\n" \
    "MJkzUiysN7m4UpVAPLqCEsdlhmeyXLMD2EsD0I8jD5vof2IXqzork1dr9j7jcQcB\n" \
    "+Mgnd1WoWygnokDIzlk9YK6sIFJs9/bQi72HThvqb1JPpyL4NVwaSMxZPYwdQ4fA\n" \
    "zx6sv2yEqu75UN5BtxlL6CBSbE0fqQIC1j5Q+CYmxVqSzRVSYmriSvdMqY0uObNv\n" \
    "StY5qb8GR15Dgng6mX+iqAopUIf3MaOLagrUxzZAYOSoP2XFKd9xF+X2ljCQZpbk\n" \
    "8CKefIaPnoAR1pEt2SSdJDUsrDKULb/Lfb6sb0oS+ikIteS6iSZw5GHQGs56BaSJ\n" \
    "NinFJU39vGKAp03OmlsND8cS+lJDZ7OnAj90vhKx8bld2j4d1s+aGP42OE1urjBt\n" \
    "tO8ZutUF0uIck2dlmkRIxHHOo1WymSPzRZqc9w/OhwbUKYxHYoY66mBuHs3znwqL\n" \
    "DJbGNGeJUr5rmqDpxY8QPIgjQveZtYaUk1e8GqvBgrChempPrUeKvWBiAiUf7zH6\n" \
    "L9qWifGmxqidP+SePbJP3bmDZ8aZ6D383rRw6Uz7UFmu4gixIpYeqBoIW6Q05WNp\n" \
    "tVXEVS+QAi2kU4LDk7EC++QicYs5NHlOoGoo8BCu7LVtjWV+IxO9lyhQdrp2jXQd\n" \
    "LDnywvm7WEh2OVBFyvgDNSQC0oF4zMFWALWOWbzojL2bLwMHV3x1RQdJyYSWX1Kv\n" \
    "B6L0JdFFoijAYs5awLCqaV90doPrFetq120q7kp1ZGDvW810v+UIL0UvzBLHUiqd\n" \
    "4KwW6GzE5UU6MXtSN5Q4PndAWYdMO/OrAwWOFi+xi63Nrz1s1Rqje2vZJazFDNyA\n" \
    "xPcW4QVzD0lawqzCM5J+h7zV91QrdUHvhpCQrS0fitGPhFTcHsv9aUA9lZ/+yhed\n" \
    "NmcgedCElQt/wQIkdRpGeRhaVsA4FBH5ZhYI1JSTWGmYfMVKV5LY9LeCzeCSBtHy\n" \
    "NmIMTWgItqox9U6/eBkRh2zkCHZ1wG3rcoLE7TFI6W16T/eaB56IOxsEH58grKRY\n" \
    "kqkrWbsws1kUdkdZf5gHRPh/NaCPGoNMVPOiVysmkRaNeW/uxI/aq+pH4i9nCsPL\n" \
    "waYweaBxNrEPUf/u6Rdd/x0IAsao0TYUu5Ltw1NhVQD2/S81YLlxLoVmzlGEpqdh\n" \
    "VpL105xPt3WnDGLHPOb43VDrLvkAWVWe+3E3mibDNEq3QTZzV1ShznouSE5/DfvO\n" \
    "U9RMkoZ9Yc/5e5t1m2PPeJfa8UvGQyJMl1VTTiaRi4xJKIdsYq0THhJThGS66q2P\n" \
    "W/vnlPIX5hdd+fr+SKZLXYGI8jLwjtP+ZVlRVmCyugdMRIk2gMMLUWYBWnkb3bJy\n" \
    "3dsFbA2DyiAElIGcy/Xr7lWN2MLJsLsG/6eBJvBW5wbmQEZOEkFeJ5O7sInX8mxk\n" \
    "nwnXhk8GaraqG2jM7UaWGH6wNuG22jI/cQVt6feL0U5St225JIGjgv/R0HL80gRg\n" \
    "cwYdNjaAyEenzS/UqPk3QW5GP/TGFv2ZLEfmJXBWnnFxpo3U4luLn9k=\n" \
    "-----END ENCRYPTED PRIVATE KEY-----\n"
#define EC_KEY \
    "-----BEGIN PRIVATE KEY-----\n" \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNbKF/EmpGgMZKcYj\n" \
    "X8YOf/UqrAFbl2MUpouwb1gfyBOhRANCAARvgKVngnNfBwD7cfi7eFLOCuVlT4yy\n" \
    "/SoHGEZ8vtQMDBxaKhu+FQRxcUDz8Z+7870tHbO8pWgaXG5g64z+837M\n" \
    "-----END PRIVATE KEY-----\n"
#define EC_PUBLIC \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEb4ClZ4JzXwcA+3H4u3hSzgrlZU+M\n" \
    "sv0qBxhGfL7UDAwcWiobvhUEcXFA8/Gfu/O9LR2zvKVoGlxuYOuM/vN+zA==\n" \
    "-----END PUBLIC KEY-----\n"
#define EC_SIGNED \
    "bEXiYiwhcWpZzFCRHQWy/umWtXqlTMUSlH+ijzK5S5Teu2yo20wfxIGGAZgZRhy5" \
    "EYMYbQ9yZ1sIhx9Ehn9HFw=="
#define ED_KEY \
    "-----BEGIN PRIVATE KEY-----\n" \
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n" \
    "-----END PRIVATE KEY-----\n"
#define ED_PUBLIC \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n" \
    "-----END PUBLIC KEY-----\n"
/* clang-format on */
