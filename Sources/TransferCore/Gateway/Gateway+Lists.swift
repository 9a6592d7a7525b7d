import TransferCommon
import WireProtocol

// Lists of parts (specification §8.1, §9.1): pages behind RESUME QUERY and before COMPLETE, and the budget they hold.

extension Gateway {
    mutating func reserveList(count: UInt32, device: AuthorisedDevice) -> Bool {
        context.reserve(UInt64(count) * GatewayConnection.listEntryBytes, device: device.fingerprint)
    }

    mutating func receivedPartList(_ page: PartList, at attachment: Attachment, device: AuthorisedDevice) {
        guard var use = use(attachment) else { return }
        switch use.stage {
        case .listing(let token, let missing):
            let count = UInt32(clamping: page.entries.count)
            guard count <= missing, page.isLast == (count == missing) else {
                let page = "a page of \(count) parts, \(page.isLast ? "" : "not ")the last"
                return end(attachment.connection, .badValue, "PART LIST: \(page), where \(missing) are missing")
            }
            guard Self.continues(page, use.listed) else {
                return refuse(.listInvalid, "the parts do not ascend from page to page", at: attachment)
            }
            // The rest was reserved when the query announced so many.
            let excess =
                GatewayConnection.listBytes(of: page.entries) - UInt64(count) * GatewayConnection.listEntryBytes
            guard excess == 0 || context.reserve(excess, device: device.fingerprint) else {
                return refuseForRoom(at: attachment)
            }
            use.listBytes += excess
            use.listed += page.entries
            use.stage = .listing(token: token, missing: missing - count)
            connections[attachment.connection]?.slots[attachment.slot] = use
            if page.isLast { resume(token, listed: use.listed, at: attachment, device: device) }
        case .open:
            // The parts of a one-part file are not listed (specification §9.2).
            guard sessions[use.session]?.isOnePart == false else { return }
            if use.listIsWhole {
                use.listed = []
                use.listIsWhole = false
            }
            let partsMax = context.limits(of: device.fingerprint).grantedParts.partsMax
            guard use.listed.count + page.entries.count <= Int(partsMax) else {
                return end(attachment.connection, .badValue, "PART LIST: more than \(partsMax) parts")
            }
            let needed = GatewayConnection.listBytes(of: use.listed) + GatewayConnection.listBytes(of: page.entries)
            if needed > use.listBytes {
                guard context.reserve(needed - use.listBytes, device: device.fingerprint) else {
                    return deferCompletion(at: attachment, "the gateway has no room for the list now")
                }
                use.listBytes = needed
            }
            use.listed += page.entries
            use.listIsWhole = page.isLast
            connections[attachment.connection]?.slots[attachment.slot] = use
        case .opening, .resuming, .completing, .aborting:
            break  // `SlotState` has no list taken there.
        }
    }

    /// Whether a page's parts come after those of the pages before.
    private static func continues(_ page: PartList, _ listed: [PartListEntry]) -> Bool {
        guard let last = listed.last, let first = page.entries.first else { return true }
        return last.part < first.part
    }

    /// A list holds budget, and its next page or the COMPLETE behind it does not come: the agent tries again later.
    mutating func giveUpList(at attachment: Attachment) {
        guard let use = use(attachment) else { return }
        if case .listing = use.stage {
            return refuse(
                .busy, "the announced list of parts did not come in time", retryAfter: context.limits.laterAdvice,
                at: attachment)
        }
        deferCompletion(at: attachment, "the list of parts or COMPLETE did not come in time")
    }

    /// The completion has to wait: the agent resumes later and lists again.
    private mutating func deferCompletion(at attachment: Attachment, _ message: String) {
        let report = ErrorReport(
            scope: .session, code: .busy, retryAfterMilliseconds: context.limits.laterAdvice.wireMilliseconds,
            message: message)
        context.send(.error(report), to: attachment)
        leaveSession(at: attachment)
    }

    mutating func releaseList(_ attachment: Attachment) {
        guard let bytes = connections[attachment.connection]?.slots[attachment.slot]?.listBytes, bytes > 0,
            let device = connections[attachment.connection]?.device
        else { return }
        context.budget.release(bytes, device: device.fingerprint)
        connections[attachment.connection]?.slots[attachment.slot]?.listed = []
        connections[attachment.connection]?.slots[attachment.slot]?.listIsWhole = false
        connections[attachment.connection]?.slots[attachment.slot]?.listBytes = 0
    }
}
