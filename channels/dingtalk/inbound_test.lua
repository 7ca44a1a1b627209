-- yuelai test channels/dingtalk: the platform's own requests, in fixtures/inbound.json.
require("tests.inbound").plays "dingtalk"
