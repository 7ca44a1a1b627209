-- yuelai test channels/http: the platform's own requests, in fixtures/inbound.json.
require("tests.inbound").plays "http"
