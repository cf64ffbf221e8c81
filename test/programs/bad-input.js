'use strict';
// The table of bad input, in a process of its own: it must end by itself, with nothing wrong.

const { run } = require('../support/bad-input.js');
const { options, say } = require('../support/child.js');

run(options()).then((wrong) => say('done', { wrong }));
