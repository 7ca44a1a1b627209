-- yuelai test channels/douyin: the platform's own requests, in fixtures/inbound.json.
require("tests.inbound").plays "douyin"
