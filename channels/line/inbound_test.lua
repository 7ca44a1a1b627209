-- yuelai test channels/line: the platform's own requests, in fixtures/inbound.json.
require("tests.inbound").plays "line"
