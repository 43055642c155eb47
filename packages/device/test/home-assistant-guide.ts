import { DISCOVERY_FIELDS, type DiscoveryField, type FieldPlace } from '../src/index.ts'

const FRONT = `# Home Assistant, and others who speak to lights

A device announces itself, Home Assistant shows it, commands come back in Home Assistant's own JSON schema. Nothing is to be configured there besides the broker.

<!-- from: examples/home-assistant.ts -->
\`\`\`ts
EXAMPLE
\`\`\`

To look at it without a program: \`pipit device led --home-assistant hall\` announces a light in the terminal under that identifier.

\`announce\` publishes the description retained, again whenever Home Assistant says \`online\` on \`homeassistant/status\` (its birth message), and again when the connection came back: neither a restart of Home Assistant nor a broker that forgot leaves the device out. Entities are available while \`<prefix>/status\` says \`online\`; \`offline\` is the connection's will (\`statusWill\`), so a device whose power is cut is shown as unavailable. Connect with MQTT 5.0, which is the client's default: Home Assistant leaves 3.x in 2027.1.

- \`announced.remove()\` takes the device out of Home Assistant: an empty retained message on each discovery topic.
- \`form: 'single'\` announces each component by itself, on \`homeassistant/<component>/<device id>/<component id>/config\`. The default, \`device\`, is one message on \`homeassistant/device/<device id>/config\`.
- \`migrateFrom: 'single'\` goes from the one to the other with the entities' history and settings: \`{"migrate_discovery":true}\` on each old topic, then the new message, then an empty message on each old topic. \`form: 'single', migrateFrom: 'device'\` goes back.
- \`longNames: true\` writes the fields' long names, for people to read.
- \`discoveryFaults(topic, payload)\` says what is wrong with a discovery message, anybody's: Home Assistant leaves out without a word what it does not know.

## What a light understands

With \`homeAssistant: true\` a light obeys \`<prefix>/led/ha/set\` beside its own \`<prefix>/led/control\`, and says its state retained on \`<prefix>/led/ha/state\` beside \`<prefix>/led/state\`. A command may have any of these fields and changes nothing else; what is wrong with one is answered on \`<prefix>/led/error\` with the field's name.

| field | values | what it does |
|---|---|---|
| \`state\` | \`ON\`, \`OFF\`, \`TOGGLE\` | switches; \`OFF\` ends an effect and keeps the colour |
| \`brightness\` | 0 to 255 | dims; a light that is off stays off |
| \`color\` | \`{r, g, b, w}\` 0 to 255, or some of them; \`{h, s}\` 0 to 360 and 0 to 100; \`{x, y}\` 0 to 1 | sets the colour and turns the light on; red, green and blue without white leave the white diode dark |
| \`color_temp\` | 153 to 500 mireds, or 2000 to 6535 kelvin | white of that temperature, made of the white diode and the colours that it lacks |
| \`color_temp_kelvin\` | 2000 to 6535 | the same |
| \`white\` | 0 to 255 | the white diode alone |
| \`effect\` | \`blink\`, \`fade\`, \`rainbow\`, \`pulse\`, \`strobe\`, \`candle\`, \`color_wheel\`, \`none\` | begins an effect, or ends it |
| \`flash\` | \`short\` (2 s), \`long\` (10 s), or seconds | flashes, then goes on as it was |
| \`transition\` | seconds, 0 to 600 | goes there slowly, from what shines at that moment, 50 pictures a second |

\`{"action":"update"}\` on \`<prefix>/led/control\` does the same in the light's own words: \`on\`, \`r\`, \`g\`, \`b\`, \`w\`, \`brightness\`, \`color_temp_kelvin\`, \`effect\`, \`duration_ms\`, \`transition_ms\`, \`flash_ms\`.

What goes to the wires is \`LightOutput\`: gamma 2.2 unless told otherwise, and with \`power: { limitMilliamperes }\` all channels are turned down alike when the light would draw more. The model is linear: a channel draws 20 mA at full (\`channelMilliamperes\` says otherwise) and half of that when it is lit half of the time.

## What sensors say

\`runSensor\` publishes a reading retained on \`<prefix>/<quantity>\`, as \`{"temperature":21.37,"unit":"°C"}\`, or \`{"motion":true}\` for what is on or off. Sensors come ready for temperature and humidity of one chip (\`climateSensors\`), motion (\`MotionSensor\`), a lithium cell (\`batterySensor\`), pulses (\`Counter\`), and anything a function measures (\`sensorOf\`); unit, device class and decimals are known by the quantity's name, or said in \`traits\`.

- \`calibrated(sensor, { offset, scale })\` puts values right, or \`{ points: [{ measured, actual }, { measured, actual }] }\` where the truth is known twice.
- \`report: { hysteresis, minimumIntervalMs, maximumIntervalMs }\` publishes what changed by so much, no sooner and no later; without it every reading goes out.
- A reading that fails (NaN, or a sensor that throws) is not published; \`onFault\` hears of it, and the next one is tried.

## Fields of a discovery message

These are the fields that \`discoveryFaults\` knows: what Home Assistant documents for MQTT discovery, for lights with the JSON schema, for sensors and for binary sensors, and for their \`availability\`, \`device\` and \`origin\`. A field in bold is needed. \`object_id\` is not among them: Home Assistant 2026.4 removed it.
`

const DIALECTS = `
## Other dialects

\`tasmotaLight(topic)\`, \`esphomeLight(prefix, name)\` and \`zigbee2mqttLight(friendlyName, base)\` read the commands that others send to such a light as ours, write ours as theirs, and write the state as such a light would. They do no input and output: messages go in, messages come out, and each names what was \`lost\` on the way.

| | Tasmota | ESPHome | Zigbee2MQTT |
|---|---|---|---|
| commands | \`cmnd/<topic>/…\`: \`POWER\`, \`Color\`, \`HSBColor\`, \`Dimmer\`, \`White\`, \`CT\`, \`Scheme\`, \`STATE\` | \`<prefix>/light/<name>/command\`, JSON | \`<base>/<name>/set\` and \`/get\`, JSON |
| state | \`stat/<topic>/RESULT\`, \`stat/<topic>/POWER\`, \`tele/<topic>/STATE\` | \`<prefix>/light/<name>/state\` | \`<base>/<name>\` |
| brightness | per cent; it is within \`Color\` | 0 to 255 | 0 to 254; it switches the light too |
| white diode | fourth channel, \`White\` | \`color.w\`, \`white_value\` | none: white is added to the colours |
| transition | \`Speed2\`: half seconds, up to 20 s | seconds | seconds |
| effects | \`rainbow\` is scheme 2, \`none\` scheme 0; others are lost | \`Pulse\`, \`Strobe\`, \`Rainbow\`, \`Flicker\` (candle), \`Color Wipe\` (color_wheel), \`None\`; others are lost | \`blink\`, \`breathe\` (fade), \`colorloop\` (rainbow), \`stop_effect\`; others are lost |
| speed of an effect | lost | lost | lost |
| flash | lost | seconds | lost |
| one channel of a colour | lost: what is missing is 0 | kept | lost: what is missing is 0 |
`

const PLACES: readonly (readonly [place: FieldPlace, title: string])[] = [
  ['device form', 'The root of the device form'],
  ['light', 'A light'],
  ['sensor', 'A sensor'],
  ['binary_sensor', 'A binary sensor'],
  ['device', 'The object `device`'],
  ['origin', 'The object `origin`'],
  ['availability', 'An entry of `availability`'],
]

/** The guide to Home Assistant, made of the table of fields. */
export function homeAssistantGuide(example: string): string {
  const tables = PLACES.flatMap(([place, title]) => {
    const fields = DISCOVERY_FIELDS.filter((field) => field.in.includes(place))
    return [
      `\n### ${title}\n`,
      '| field | short | takes | meaning |',
      '|---|---|---|---|',
      ...fields.map(rowOf),
    ]
  })
  return `${[FRONT.replace('EXAMPLE', example.trimEnd()), ...tables].join('\n').replace('\n\n\n', '\n\n')}\n${DIALECTS}`
}

function rowOf({ name, short, kind, required, choices, meaning }: DiscoveryField): string {
  const field = required === true ? `**\`${name}\`**` : `\`${name}\``
  const takes = choices === undefined ? kind : choices.map((choice) => `\`${choice}\``).join(' ')
  return `| ${field} | ${short === undefined ? '' : `\`${short}\``} | ${takes} | ${meaning} |`
}
