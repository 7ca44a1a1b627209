-- yuelai test channels/feishu: the platform's own requests, in fixtures/inbound.json.
require("tests.inbound").plays "feishu"
