/**
 * Why an event is doubtful. A doubt lowers its weight; it never takes the event away, and never says who.
 * `two-places`: one card was at two venues at times that can not both be. `night-burst`: more came in at night than anybody would.
 * `door-rate`: more came through one door than fit through it. `clock-jump`: the kiosk's clocks disagree with what they said before.
 */
export const DOUBT_REASONS = ['two-places', 'night-burst', 'door-rate', 'clock-jump'] as const;
export type DoubtReason = (typeof DOUBT_REASONS)[number];
