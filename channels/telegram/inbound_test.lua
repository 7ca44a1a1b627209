-- yuelai test channels/telegram: the platform's own requests, in fixtures/inbound.json.
require("tests.inbound").plays "telegram"
