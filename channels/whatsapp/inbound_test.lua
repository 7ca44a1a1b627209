-- yuelai test channels/whatsapp: the platform's own requests, in fixtures/inbound.json.
require("tests.inbound").plays "whatsapp"
