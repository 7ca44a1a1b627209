-- Where the translation service is. 翻译服务的地址。
return "https://translate.example.com"
