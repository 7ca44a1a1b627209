-- yuelai test channels/wecom: the platform's own requests, in fixtures/inbound.json.
require("tests.inbound").plays "wecom"
