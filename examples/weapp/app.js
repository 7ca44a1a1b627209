// One visitor for the whole mini program: at most five sockets are allowed, and
// the badge on the first page wants what the chat page shows.
const service = require('./lib/service');

App({
  onLaunch() {
    this.visitor = service.make(wx, require('./config'));
    this.visitor.start();
  },
});
