/** Where a field stands: in the configuration of one of the components, at the root of the device form, or in one of
 *  the objects that they hold. */
export type FieldPlace =
  | 'light'
  | 'sensor'
  | 'binary_sensor'
  | 'device form'
  | 'device'
  | 'origin'
  | 'availability'

/** Components that can be checked here. */
export const COMPONENTS = ['light', 'sensor', 'binary_sensor'] as const
export type ComponentName = (typeof COMPONENTS)[number]

/** What a value may be. */
export type FieldKind =
  | 'text'
  | 'text or null'
  | 'topic'
  | 'template'
  | 'flag'
  | 'whole number'
  | 'QoS'
  | 'list of text'
  | 'text or list of text'
  | 'list of pairs'
  | 'list of objects'
  | 'object'

/** A field that Home Assistant documents. */
export interface DiscoveryField {
  readonly name: string
  /** What it may be called to save bytes. */
  readonly short?: string
  readonly kind: FieldKind
  readonly in: readonly FieldPlace[]
  readonly required?: true
  /** The words it takes; for a list, each of its items. */
  readonly choices?: readonly string[]
  readonly meaning: string
}

type Row = readonly [
  name: string,
  short: string,
  kind: FieldKind,
  meaning: string,
  more?: { readonly required?: true; readonly choices?: readonly string[] },
]

const rows = (places: readonly FieldPlace[], list: readonly Row[]): DiscoveryField[] =>
  list.map(([name, short, kind, meaning, more]) => ({
    name,
    ...(short !== '' && { short }),
    kind,
    in: places,
    meaning,
    ...more,
  }))

const SENSOR_CLASSES =
  'apparent_power aqi area atmospheric_pressure battery blood_glucose_concentration carbon_dioxide carbon_monoxide conductivity current data_rate data_size date distance duration energy energy_distance energy_storage enum frequency gas humidity illuminance irradiance moisture monetary nitrogen_dioxide nitrogen_monoxide nitrous_oxide ozone ph pm1 pm25 pm4 pm10 power_factor power precipitation precipitation_intensity pressure reactive_energy reactive_power signal_strength sound_pressure speed sulphur_dioxide temperature temperature_delta timestamp volatile_organic_compounds volatile_organic_compounds_parts voltage volume volume_flow_rate volume_storage water weight wind_direction wind_speed'
const BINARY_CLASSES =
  'battery battery_charging carbon_monoxide cold connectivity door garage_door gas heat light lock moisture motion moving occupancy opening plug power presence problem running safety smoke sound tamper update vibration window'
const COLOR_MODES = 'onoff brightness color_temp hs xy rgb rgbw rgbww white'

const words = (text: string): readonly string[] => text.split(' ')

/** Every field of a discovery message that is known here, as Home Assistant documents it for MQTT, MQTT Light (JSON
 *  schema), MQTT Sensor and MQTT Binary sensor: the validator, what is emitted and the guide are held to it. */
export const DISCOVERY_FIELDS: readonly DiscoveryField[] = [
  ...rows(
    ['device form'],
    [
      ['device', 'dev', 'object', 'The device that all components belong to.', { required: true }],
      ['origin', 'o', 'object', 'The program that sends this.', { required: true }],
      [
        'components',
        'cmps',
        'object',
        'The components by their own identifiers; one with nothing but `platform` is removed.',
        { required: true },
      ],
      ['state_topic', 'stat_t', 'topic', 'The state topic of components that have none of their own.'],
      ['command_topic', 'cmd_t', 'topic', 'The command topic of components that have none of their own.'],
    ],
  ),
  ...rows(
    [...COMPONENTS, 'device form'],
    [
      [
        'availability',
        'avty',
        'list of objects',
        'Topics that say whether the device is there; not beside `availability_topic`.',
      ],
      [
        'availability_mode',
        'avty_mode',
        'text',
        'How several of them count: `all`, `any` or the `latest` message.',
        { choices: ['all', 'any', 'latest'] },
      ],
      ['availability_template', 'avty_tpl', 'template', 'Takes the availability out of a message.'],
      [
        'availability_topic',
        'avty_t',
        'topic',
        'The topic that says whether the device is there: its will goes there.',
      ],
      [
        'encoding',
        'e',
        'text',
        'Character encoding of what is received and sent; `utf-8` unless it says so.',
      ],
      ['payload_available', 'pl_avail', 'text', 'What means that it is there; `online` unless it says so.'],
      [
        'payload_not_available',
        'pl_not_avail',
        'text',
        'What means that it is not; `offline` unless it says so.',
      ],
      ['qos', '', 'QoS', 'The highest QoS of what Home Assistant receives and sends.'],
      ['~', '', 'text', 'What `~` at the beginning or the end of a topic stands for.'],
    ],
  ),
  ...rows(COMPONENTS, [
    [
      'platform',
      'p',
      'text',
      'The kind of component; only in the device form, and needed there.',
      { choices: COMPONENTS },
    ],
    [
      'unique_id',
      'uniq_id',
      'text',
      'Identifies the entity for ever; needed in the device form and beside `device`.',
    ],
    [
      'default_entity_id',
      'def_ent_id',
      'text',
      'The whole entity id that is proposed, such as `light.lamp`.',
    ],
    ['name', '', 'text or null', "The entity's name; null: the device's own."],
    ['device', 'dev', 'object', 'The device that it belongs to; in the device form it stands at the root.'],
    ['origin', 'o', 'object', 'The program that sends this; in the device form it stands at the root.'],
    ['enabled_by_default', 'en', 'flag', 'Whether the entity is enabled when it is added.'],
    [
      'entity_category',
      'ent_cat',
      'text',
      'An entity that is not what the device is for.',
      { choices: ['config', 'diagnostic'] },
    ],
    ['entity_picture', 'ent_pic', 'text', 'The address of a picture.'],
    ['icon', 'ic', 'text', 'An icon, such as `mdi:lamp`.'],
    [
      'json_attributes_topic',
      'json_attr_t',
      'topic',
      'Where a JSON object with further attributes is published.',
    ],
    ['json_attributes_template', 'json_attr_tpl', 'template', 'Takes the attributes out of that message.'],
  ]),
  ...rows(
    ['light'],
    [
      [
        'schema',
        '',
        'text',
        'Which form commands and states have; `json` here.',
        { required: true, choices: ['json'] },
      ],
      ['command_topic', 'cmd_t', 'topic', 'Where commands are published.', { required: true }],
      [
        'state_topic',
        'stat_t',
        'topic',
        'Where the light says its state; without it Home Assistant guesses.',
      ],
      ['brightness', '', 'flag', 'The light can be dimmed.'],
      [
        'brightness_scale',
        'bri_scl',
        'whole number',
        'The brightness of a light at full; 255 unless it says so.',
      ],
      [
        'color_temp_kelvin',
        'clr_temp_k',
        'flag',
        '`color_temp` is in kelvin; it is in mireds unless it says so.',
      ],
      ['effect', '', 'flag', 'The light has effects.'],
      ['effect_list', 'fx_list', 'text or list of text', 'Their names.'],
      ['flash', 'flsh', 'flag', 'The light can flash; it can unless it says not.'],
      ['flash_time_long', 'flsh_tlng', 'whole number', 'Seconds of a long flash; 10 unless it says so.'],
      ['flash_time_short', 'flsh_tsht', 'whole number', 'Seconds of a short flash; 2 unless it says so.'],
      ['max_kelvin', 'max_k', 'whole number', 'The coldest white, in kelvin.'],
      ['min_kelvin', 'min_k', 'whole number', 'The warmest white, in kelvin.'],
      ['max_mireds', 'max_mirs', 'whole number', 'The warmest white, in mireds.'],
      ['min_mireds', 'min_mirs', 'whole number', 'The coldest white, in mireds.'],
      ['optimistic', 'opt', 'flag', 'Home Assistant takes a command for done without waiting for the state.'],
      ['retain', 'ret', 'flag', 'Commands are published retained.'],
      [
        'supported_color_modes',
        'sup_clrm',
        'list of text',
        'How its colour can be said; `onoff` and `brightness` stand alone.',
        { choices: words(COLOR_MODES) },
      ],
      ['transition', 'trns', 'flag', 'The light can change slowly; it can unless it says not.'],
      ['white_scale', 'whit_scl', 'whole number', 'The white of a light at full; 255 unless it says so.'],
    ],
  ),
  ...rows(
    ['sensor', 'binary_sensor'],
    [
      ['state_topic', 'stat_t', 'topic', 'Where readings are published.', { required: true }],
      ['value_template', 'val_tpl', 'template', 'Takes the value out of the message.'],
      ['expire_after', 'exp_aft', 'whole number', 'Seconds after which a reading no longer counts.'],
      ['force_update', 'frc_upd', 'flag', 'A reading is an event though it is the same as the last.'],
    ],
  ),
  ...rows(
    ['sensor'],
    [
      ['device_class', 'dev_cla', 'text or null', 'What is measured.', { choices: words(SENSOR_CLASSES) }],
      [
        'state_class',
        'stat_cla',
        'text',
        'What statistics may make of it.',
        { choices: ['measurement', 'measurement_angle', 'total', 'total_increasing'] },
      ],
      ['unit_of_measurement', 'unit_of_meas', 'text or null', 'The unit.'],
      ['suggested_display_precision', 'sug_dsp_prc', 'whole number', 'Decimals that are shown.'],
      [
        'last_reset_value_template',
        'lrst_val_tpl',
        'template',
        'When a `total` began; takes it out of the message.',
      ],
      ['options', 'ops', 'list of text', 'The values of an `enum`.'],
    ],
  ),
  ...rows(
    ['binary_sensor'],
    [
      ['device_class', 'dev_cla', 'text or null', 'What is detected.', { choices: words(BINARY_CLASSES) }],
      ['off_delay', 'off_dly', 'whole number', 'Seconds after which it is off again by itself.'],
      ['payload_on', 'pl_on', 'text', 'What means on; `ON` unless it says so.'],
      ['payload_off', 'pl_off', 'text', 'What means off; `OFF` unless it says so.'],
    ],
  ),
  ...rows(
    ['device'],
    [
      [
        'identifiers',
        'ids',
        'text or list of text',
        'What identifies the device; this or `connections` is needed.',
      ],
      [
        'connections',
        'cns',
        'list of pairs',
        'What identifies it to the outside, such as `["mac", "02:5b:26:a8:dc:12"]`.',
      ],
      ['name', '', 'text', 'Its name.'],
      ['manufacturer', 'mf', 'text', 'Who made it.'],
      ['model', 'mdl', 'text', 'What it is.'],
      ['model_id', 'mdl_id', 'text', 'What its maker calls it.'],
      ['serial_number', 'sn', 'text', 'Its serial number.'],
      ['hw_version', 'hw', 'text', 'The version of its hardware.'],
      ['sw_version', 'sw', 'text', 'The version of its firmware.'],
      [
        'configuration_url',
        'cu',
        'text',
        'Where it can be configured: `http://`, `https://` or `homeassistant://`.',
      ],
      ['suggested_area', 'sa', 'text', 'The room that is proposed.'],
      ['via_device', '', 'text', 'The identifier of the device through which it is reached.'],
    ],
  ),
  ...rows(
    ['origin'],
    [
      ['name', '', 'text', 'The program that sends the message.', { required: true }],
      ['sw_version', 'sw', 'text', 'Its version.'],
      ['support_url', 'url', 'text', 'Where help for it is found.'],
    ],
  ),
  ...rows(
    ['availability'],
    [
      ['topic', 't', 'topic', 'Where the availability is published.', { required: true }],
      ['payload_available', 'pl_avail', 'text', 'What means that it is there; `online` unless it says so.'],
      [
        'payload_not_available',
        'pl_not_avail',
        'text',
        'What means that it is not; `offline` unless it says so.',
      ],
      ['value_template', 'val_tpl', 'template', 'Takes the availability out of the message.'],
    ],
  ),
]

/** The fields of a place by their names, long and short. */
export function fieldsOf(place: FieldPlace): ReadonlyMap<string, DiscoveryField> {
  const known = DISCOVERY_FIELDS.filter((field) => field.in.includes(place))
  return new Map(
    known.flatMap((field) =>
      [field.name, ...(field.short === undefined ? [] : [field.short])].map((name) => [name, field]),
    ),
  )
}
