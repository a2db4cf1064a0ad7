/**
 * What operators are told of what happens at the doors, as the `data` of a CloudEvent: one schema for each type. No person is named: the event's
 * `subject`, where it has one, is a pseudonym for one venue and day.
 * Source: docs/protocol.md, "For operators"; CloudEvents 1.0.2.
 */
import { z } from 'zod';
import { DOUBT_REASONS } from './doubt.ts';
import { ERROR_CODE_FORM } from './errors.ts';

const placeId = z.string().regex(/^[0-9abcdefghjkmnpqrstvwxyz]{16}$/);
/** The id of the event that is meant, of the same source: the content key's id in hexadecimal, and the row's number. */
const eventId = z.string().regex(/^[0-9a-f]{16}-\d{1,16}$/);
const atDoor = z.strictObject({
  kiosk: placeId,
  entrance: placeId,
  /** `time` is right to plus or minus this, ms. */
  uncertaintyMs: z.int().min(0),
});

export const OPERATOR_EVENT_DATA = {
  'check-in': atDoor.extend({ groupSize: z.int().min(1).max(99), isSigned: z.boolean() }),
  'check-out': atDoor,
  undo: atDoor.extend({ undoes: eventId }),
  occupancy: atDoor.extend({
    slotMs: z.int().min(1),
    /** Bluetooth devices in the slot; absent where they are too few to tell. */
    tokens: z.int().min(0).optional(),
  }),
  'device-state': atDoor.extend({
    device: z.string().regex(/^[a-z0-9-]{1,32}$/),
    isUp: z.boolean(),
    why: z.string().regex(ERROR_CODE_FORM).optional(),
  }),
  'kiosk-state': atDoor.extend({
    state: z.enum(['started', 'stopping', 'clock-stepped', 'store-refused', 'store-recovered']),
    byMs: z.int(),
  }),
  'temperature-flag': z.strictObject({
    kiosk: placeId,
    entrance: placeId,
    state: z.enum(['confirmed', 'unconfirmed', 'cleared']),
    expiresAt: z.iso.datetime(),
  }),
  doubt: z.strictObject({ kiosk: placeId, of: eventId, reason: z.enum(DOUBT_REASONS) }),
} as const;

export type OperatorEventType = keyof typeof OPERATOR_EVENT_DATA;
export type OperatorEventData<Type extends OperatorEventType> = Readonly<z.infer<(typeof OPERATOR_EVENT_DATA)[Type]>>;

/** The envelope, structured mode (CloudEvents MQTT protocol binding 1.0.2, section 3.2). */
export const operatorEvent = <Type extends OperatorEventType>(type: Type) =>
  z.strictObject({
    specversion: z.literal('1.0'),
    id: z.string().min(1).max(64),
    source: z.string().regex(/^\/vestibule\/[0-9a-z]{16}\/kiosk\/[0-9a-z]{16}$/),
    type: z.literal(`vestibule.${type}`),
    time: z.iso.datetime(),
    datacontenttype: z.literal('application/json'),
    subject: z
      .string()
      .regex(/^[0-9a-f]{16}$/)
      .optional(),
    data: OPERATOR_EVENT_DATA[type],
  });
