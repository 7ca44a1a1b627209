-- Who translates: the name of an assistant (console → assistants), or the address
-- of a service that answers POST /translate. 由哪个助手翻译；也可以填翻译服务的网址。
return "translator"
