// SPDX-License-Identifier: MIT
// HTTP in Node, behind ktlsd. Node cannot receive descriptors itself; the
// library that ktls-run brings along stands in for accept(2) and the rest:
//   ktls-run --queue PATH --preload -- node server.js
const http = require('http');

const server = http.createServer((request, response) => {
	let got = 0;

	request.on('data', (data) => { got += data.length; });
	request.on('end', () => {
		const [, wanted] = /^\/bytes\/(\d+)$/.exec(request.url) || [];

		response.end('x'.repeat(wanted || 0) + `got ${got}\n`);
	});
});

server.on('connection', (socket) => {
	// A clean end is 'end'. One that was cut off is an error, ECONNRESET.
	socket.on('error', (error) => console.error(`ended: ${error}`));
});

// The queue takes this port's place: nobody listens there.
server.listen(8080);
