-- yuelai test channels/email: the platform's own requests, in fixtures/inbound.json.
require("tests.inbound").plays "email"
