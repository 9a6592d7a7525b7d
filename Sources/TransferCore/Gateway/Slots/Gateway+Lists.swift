import TransferCommon
import WireProtocol

// Lists of parts (specification §8.1, §9.1): the pages after RESUME QUERY and before COMPLETE. `ListIntake` judges
// them.

extension Gateway {
    mutating func reserveList(count: UInt32, device: AuthorisedDevice) -> Bool {
        context.reserve(ListIntake.bytes(announced: count), device: device.fingerprint)
    }

    mutating func receivedPartList(_ page: PartList, at attachment: Attachment, device: AuthorisedDevice) {
        guard let use = self[attachment] else { return }
        // The parts of a one-part file are not listed (specification §9.2).
        if use.stage == .open, sessions[use.session]?.isOnePart != false { return }
        let partsMax = context.limits(of: device.fingerprint).grantedParts.partsMax
        switch use.list.judge(page, partsMax: partsMax) {
        case .violation(let message): end(attachment.connection, .badValue, message)
        case .unordered: refuse(.listInvalid, "the parts do not ascend from page to page", at: attachment)
        case .fits(let excess): keep(page, excess: excess, at: attachment, device: device)
        }
    }

    private mutating func keep(
        _ page: PartList, excess: UInt64, at attachment: Attachment, device: AuthorisedDevice
    ) {
        guard let stage = self[attachment]?.stage else { return }
        let isReserved = excess == 0 || context.reserve(excess, device: device.fingerprint)
        switch stage {
        case .listing(let token, let asksForPartials):
            guard isReserved else { return refuseForRoom(at: attachment) }
            self[attachment]?.list.append(page, reserved: excess)
            guard page.isLast else { return }
            resume(token, asksForPartials: asksForPartials, at: attachment, device: device)
        case .open:
            guard isReserved else {
                return deferCompletion(at: attachment, "the gateway has no room for the list now")
            }
            self[attachment]?.list.append(page, reserved: excess)
        case .opening, .resuming, .completing, .aborting:
            break  // `SlotState` accepts no page of PART LIST in these stages.
        }
    }

    /// Evicts a list that holds budget, while neither its next page nor COMPLETE arrives. The agent tries again later.
    mutating func giveUpList(at attachment: Attachment) {
        guard let use = self[attachment] else { return }
        if case .listing = use.stage {
            return refuse(
                .busy, "the announced list of parts did not come in time", retryAfter: context.limits.laterAdvice,
                at: attachment)
        }
        deferCompletion(at: attachment, "the list of parts or COMPLETE did not come in time")
    }

    /// Refuses the completion for now: the agent resumes later and lists again.
    private mutating func deferCompletion(at attachment: Attachment, _ message: String) {
        let refusal = SessionRefused(.busy, retryAfter: context.limits.laterAdvice, message: message)
        context.send(.error(refusal.asSessionError), to: attachment)
        leaveSession(at: attachment)
    }

    mutating func releaseList(_ attachment: Attachment) {
        guard let device = connections[attachment.connection]?.device,
            let bytes = self[attachment]?.list.release()
        else { return }
        context.reservations.release(bytes, device: device.fingerprint)
    }
}
