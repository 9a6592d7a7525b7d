import TransferCommon
package import WireProtocol

/// The slots of one connection. Each slot goes through these states:
///
///     from      event                                                        to
///     free      an upload or a proof takes the slot                          used
///     used      the frame that closes it is read, no chunk is queued         free
///     used      the frame that closes it is read, chunks are queued          draining
///     used      SESSION LEAVE is sent                                        left
///     left      SESSION LEFT is read, no chunk is queued                     free
///     left      SESSION LEFT is read, chunks are queued                      draining
///     draining  the last queued chunk is taken, or will never be sent        free
///
/// Frames overtake queued chunks. A slot is therefore free only when none of its chunks is queued. Otherwise the
/// gateway would take a chunk from an earlier use of the slot for one from a later use.
package struct AgentSlotTable: Hashable, Sendable {
    /// The states of one slot, as the table in the comment on `AgentSlotTable` lists them.
    package enum State: Hashable, Sendable {
        case free
        case used(UploadID)
        /// SESSION LEAVE was sent. Until SESSION LEFT arrives, the agent ignores all frames in the slot: the gateway
        /// sent them before it had read SESSION LEAVE.
        case left
        /// The slot is closed, but the socket has not taken all of its chunks. The gateway will discard them.
        case draining
    }

    /// The slots that are not free.
    private var states: [Slot: State] = [:]
    /// Free slots that were used before; the one that became free last is taken first.
    private var free: [Slot] = []
    private var lastSlot: UInt16 = 0

    package init() {}

    /// The state of a slot; `free` for one that was never used.
    package func state(of slot: Slot) -> State { states[slot] ?? .free }

    /// The upload or proof that uses a slot.
    package func upload(in slot: Slot) -> UploadID? {
        if case .used(let upload) = states[slot] { upload } else { nil }
    }

    /// The uploads and proofs that use a slot.
    package var uploads: Set<UploadID> { Set(states.keys.compactMap { upload(in: $0) }) }

    /// How many slots are used.
    package private(set) var usedCount = 0

    /// How many slots are used, or wait for SESSION LEFT.
    package var openCount: Int { states.values.count { $0 != .draining } }

    /// Whether a slot can be taken, if the gateway allows `slotsMax` slots.
    package func hasFree(slotsMax: UInt16) -> Bool { !free.isEmpty || lastSlot < slotsMax }

    /// Takes a free slot; `nil` if there is none.
    package mutating func take(for upload: UploadID, slotsMax: UInt16) -> Slot? {
        guard hasFree(slotsMax: slotsMax) else { return nil }
        let slot: Slot
        if let last = free.popLast() {
            slot = last
        } else {
            lastSlot += 1
            slot = Slot(lastSlot)
        }
        states[slot] = .used(upload)
        usedCount += 1
        return slot
    }

    /// Closes a slot, because the frame that closes it has been read. `hasChunks`: whether its chunks are queued.
    package mutating func closed(_ slot: Slot, hasChunks: Bool) {
        guard case .used = states[slot] else { return }
        usedCount -= 1
        end(slot, hasChunks: hasChunks)
    }

    /// Notes that SESSION LEAVE is sent in the slot.
    package mutating func leave(_ slot: Slot) {
        guard case .used = states[slot] else { return }
        usedCount -= 1
        states[slot] = .left
    }

    /// Frees a slot that was left, because SESSION LEFT has been read in it, or lets its queued chunks drain first.
    package mutating func left(_ slot: Slot, hasChunks: Bool) {
        guard states[slot] == .left else { return }
        end(slot, hasChunks: hasChunks)
    }

    /// No chunk of the slot is queued any more.
    package mutating func drained(_ slot: Slot) {
        guard states[slot] == .draining else { return }
        end(slot, hasChunks: false)
    }

    private mutating func end(_ slot: Slot, hasChunks: Bool) {
        states[slot] = hasChunks ? .draining : nil
        if !hasChunks { free.append(slot) }
    }
}
