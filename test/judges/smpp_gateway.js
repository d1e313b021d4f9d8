// An SMPP gateway by the npm package smpp, which is not ours: the dispatcher's driver is tested against it. The first line
// printed is {"port":N}; then every event is a line of JSON, and every line of JSON read is an order: {"do":…}.
'use strict';
const readline = require('readline');
const smpp = require('smpp');

const sessions = new Set();
const knobs = {receipts: 'text', answer_enquire: true, cut_after: 0, status: 0};
let ids = 9000;

function tell(event) {
  process.stdout.write(JSON.stringify(event) + '\n');
}

function words(pdu) {
  const m = pdu.short_message || {};
  const payload = pdu.message_payload;
  const text = payload ? payload.message || payload : m.message;
  return {text: Buffer.isBuffer(text) ? text.toString('latin1') : text || '', udh: (m.udh || []).map((e) => e.toString('hex'))};
}

function receiver(not) {
  const able = [...sessions].filter((s) => s.bound && s.bound !== 'bind_transmitter');
  return able.find((s) => s !== not) || able[0];
}

function deliver(fields) {
  const session = receiver();
  if (!session) return;
  session.deliver_sm(fields, (answer) => tell({event: 'deliver_sm_resp', status: answer.command_status}));
}

function receipt(pdu, id) {
  const now = new Date().toISOString().replace(/[^0-9]/g, '').slice(2, 12);
  const text = `id:${id} sub:001 dlvrd:001 submit date:${now} done date:${now} stat:DELIVRD err:000 text:`;
  const fields = {source_addr: pdu.destination_addr, destination_addr: pdu.source_addr, esm_class: 4};
  if (knobs.receipts === 'text') deliver({...fields, short_message: {message: text}});
  if (knobs.receipts === 'parameters') deliver({...fields, receipted_message_id: id, message_state: 2});
}

function submitted(session, pdu) {
  const id = String(++ids);
  const sar = pdu.sar_total_segments ? [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum] : null;
  tell({event: 'submit', number: pdu.destination_addr, sender: pdu.source_addr, id, sar, ...words(pdu)});
  if (knobs.cut_after > 0 && --knobs.cut_after === 0) {
    session.destroy();
    return;
  }
  if (knobs.status !== 0) {
    session.send(pdu.response({command_status: knobs.status}));
    return;
  }
  session.send(pdu.response({message_id: id}));
  if (pdu.registered_delivery & 1) receipt(pdu, id);
}

const server = smpp.createServer((session) => {
  sessions.add(session);
  session.on('close', () => { sessions.delete(session); tell({event: 'close', bound: session.bound || ''}); });
  session.on('error', (e) => tell({event: 'error', what: String(e.message)}));
  for (const kind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
    session.on(kind, (pdu) => {
      const ok = pdu.password === 'secret';
      tell({event: 'bind', kind, system_id: pdu.system_id, ok});
      session.send(pdu.response(ok ? {} : {command_status: smpp.ESME_RINVPASWD}));
      if (ok) session.bound = kind; else session.close();
    });
  }
  session.on('submit_sm', (pdu) => submitted(session, pdu));
  session.on('enquire_link', (pdu) => {
    tell({event: 'enquire_link'});
    if (knobs.answer_enquire) session.send(pdu.response());
  });
  session.on('enquire_link_resp', () => tell({event: 'enquire_link_resp'}));
  session.on('unbind', (pdu) => {
    tell({event: 'unbind'});
    session.send(pdu.response());
    session.close();
  });
  session.on('unbind_resp', () => { tell({event: 'unbind_resp'}); session.close(); });
});

const orders = {
  set({name, value}) { knobs[name] = value; },
  inbound({from, to, text, udh}) {
    deliver({source_addr: from, destination_addr: to, esm_class: udh ? 0x40 : 0,
             short_message: {message: text, ...(udh && {udh: Buffer.from(udh, 'hex')})}});
  },
  cut() { for (const s of sessions) s.destroy(); },
  unbind() { for (const s of sessions) if (s.bound) s.unbind(); },
  enquire() { for (const s of sessions) if (s.bound) s.enquire_link(); },
};

server.listen(0, '127.0.0.1', () => tell({port: server.address().port}));
readline.createInterface({input: process.stdin}).on('line', (line) => {
  const order = JSON.parse(line);
  orders[order.do](order);
}).on('close', () => process.exit(0));
