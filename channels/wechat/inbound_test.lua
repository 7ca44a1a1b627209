-- yuelai test channels/wechat: the platform's own requests, in fixtures/inbound.json.
require("tests.inbound").plays "wechat"
