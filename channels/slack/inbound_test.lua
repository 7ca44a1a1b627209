-- yuelai test channels/slack: the platform's own requests, in fixtures/inbound.json.
require("tests.inbound").plays "slack"
