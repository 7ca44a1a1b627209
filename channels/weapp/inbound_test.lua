-- yuelai test channels/weapp: the platform's own requests, in fixtures/inbound.json.
require("tests.inbound").plays "weapp"
