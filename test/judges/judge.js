// The judges line by line: each line of standard input is one question as JSON, each line of standard output the
// answer as JSON. What a judge does differently on purpose is asked for by a word in the question, never hidden here.
'use strict';
const readline = require('readline');

const judges = {
  // croner. fixed times as Vixie cron has them ("no-wildcard"); both_days: day and weekday must both fit.
  cron({expression, zone, after, count, both_days}) {
    const {Cron} = require('croner');
    const job = new Cron(expression, {timezone: zone, fixedTimeRule: 'no-wildcard', domAndDow: both_days, paused: true});
    const found = [];
    let at = new Date(after * 1000);
    while (found.length < count && (at = job.nextRun(at)) !== null) found.push(at.getTime() / 1000);
    return found;
  },

  // sms-segments-calculator. whole: it keeps all that is seen as one character (a letter and its accents, a family
  // of emoji) in one segment, as it does by itself; without it only what one code point needs stays together.
  text({hex, whole}) {
    const utils = require('sms-segments-calculator/dist/libs/textUtils');
    const graphemes = utils.splitGraphemes;
    try {
      if (!whole) utils.splitGraphemes = (message) => Array.from(message);
      const {SegmentedMessage} = require('sms-segments-calculator');
      const m = new SegmentedMessage(Buffer.from(hex, 'hex').toString('utf8'));
      const bits = m.encodingName === 'GSM-7' ? 7 : 16;
      return {encoding: m.encodingName, units: m.messageSize / bits, segments: m.segmentsCount};
    } finally {
      utils.splitGraphemes = graphemes;
    }
  },

  // libphonenumber-js: the ways in which the numbers of a country's list of digits are written, those that are valid
  // only; without a list, its example of a mobile number. null as country: all of them.
  written({country, digits}) {
    const {getExampleNumber, getCountries, parsePhoneNumberFromString} = require('libphonenumber-js/max');
    const examples = require('libphonenumber-js/mobile/examples');
    const numbers = country === null ? getCountries().map((c) => getExampleNumber(c, examples)) :
      digits.map((d) => parsePhoneNumberFromString(d, {defaultCountry: country, extract: false}));
    return numbers.filter((n) => n && n.isValid()).map((n) => ({
      country: n.country, code: n.countryCallingCode, e164: n.number, national: n.formatNational(),
      international: n.formatInternational(), rfc3966: n.format('RFC3966'),
      mobile: /MOBILE/.test(n.getType() || ''), from_abroad: n.format('IDD', {fromCountry: n.country === 'FR' ? 'DE' : 'FR'}) || null,
    }));
  },

  // Which number is this, written in that country? null: none.
  number({text, country}) {
    const {parsePhoneNumberFromString} = require('libphonenumber-js/max');
    const n = parsePhoneNumberFromString(text, {defaultCountry: country, extract: false});
    return n && n.isValid() ? n.number : null;
  },

  // smpp: what stands in a PDU. Its filters, which make dates and texts of octets, are off: octets are compared.
  smpp_decode({hex}) {
    const {PDU} = require('smpp');
    return withoutFilters(() => smppFields(PDU.fromBuffer(Buffer.from(hex, 'hex'))));
  },
  smpp_encode({command, fields, tlvs}) {
    const {PDU, tlvsById} = require('smpp');
    const options = {...fields};
    for (const name of ['short_message'])
      if (name in options) options[name] = Buffer.from(options[name], 'hex');
    for (const [tag, value] of Object.entries(tlvs))
      options[tlvsById[tag].tag] = typeof value === 'object' ? Buffer.from(value.hex, 'hex') : value;
    return withoutFilters(() => new PDU(command, options).toBuffer().toString('hex'));
  },
};

function withoutFilters(act) {
  const {PDU} = require('smpp');
  const filter = PDU.prototype._filter;
  try {
    PDU.prototype._filter = () => undefined;
    return act();
  } finally {
    PDU.prototype._filter = filter;
  }
}

function smppFields(pdu) {
  const {commands, tlvs, types} = require('smpp');
  const found = {command: pdu.command, command_status: pdu.command_status, sequence_number: pdu.sequence_number, tlvs: {}};
  const octets = (v) => Buffer.isBuffer(v) ? v.toString('hex') : Buffer.from(v, 'ascii').toString('hex');
  for (const key of Object.keys(pdu)) {
    if (key in (commands[pdu.command].params || {})) {
      found[key] = typeof pdu[key] === 'number' ? pdu[key] : octets(pdu[key]);
    } else if (key in tlvs) {
      const {id, type} = tlvs[key];
      const value = typeof pdu[key] === 'number' ? pdu[key].toString(16).padStart(2 * type.size(pdu[key]), '0') : octets(pdu[key]);
      found.tlvs[id] = type === types.tlv.cstring ? value + '00' : value;
    } else if (/^[0-9]+$/.test(key)) {
      found.tlvs[key] = octets(pdu[key]);
    }
  }
  return found;
}

readline.createInterface({input: process.stdin}).on('line', (line) => {
  const question = JSON.parse(line);
  console.log(JSON.stringify(judges[question.judge](question)));
});
