import TransferCommon
import WireProtocol

// How fast a device may begin things and send frames, and how slowly what holds memory may move (specification §5.3).

/// What a device has taken of its rates, over all its connections.
struct DevicePace: Hashable {
    /// Of uses of slots that come to nothing.
    var beginnings: Allowance
    var frames: Allowance

    init(_ limits: GatewayLimits) {
        beginnings = Allowance(
            atOnce: limits.fruitlessBeginningsAtOnce, perSecond: limits.fruitlessBeginningsPerSecond)
        frames = Allowance(atOnce: limits.framesAtOnce, perSecond: limits.framesPerSecond)
    }
}

// MARK: - Rates

extension Gateway {
    /// Takes one frame from the device's rate.
    ///
    /// - Returns: how long the shell reads nothing more from the connection; `nil` if it reads on at once.
    mutating func pauseAfterFrame(from id: ConnectionID) -> Duration? {
        guard let device = connections[id]?.device?.fingerprint else { return nil }
        let untouched = DevicePace(limits)
        let debt = paces[device, default: untouched].frames.takeInAdvance(now: context.now)
        return debt > .zero ? max(debt, limits.framePause) : nil
    }

    mutating func heard(_ bytes: UInt64, from id: ConnectionID) {
        connections[id]?.liveness.heard(now: context.now)
        connections[id]?.heardBytes &+= bytes
    }

    /// Counts SESSION OPEN, RESUME QUERY, ABORT and PROVE.
    ///
    /// - Returns: `nil` where the device may, else how long it has to wait.
    mutating func countBeginning(of device: AuthorisedDevice) -> Duration? {
        let untouched = DevicePace(limits)
        let now = context.now
        return paces[device.fingerprint, default: untouched].beginnings.take(now: now)
    }

    /// A use of a slot has shown an object: it shall not have counted.
    mutating func giveBackBeginning(at attachment: Attachment) {
        guard let device = connections[attachment.connection]?.device?.fingerprint else { return }
        paces[device]?.beginnings.giveBack()
    }
}

extension Frame {
    /// Whether an agent that gets it in answer knows now what is under its key: that is no fruitless use of a slot.
    var tellsOfObject: Bool {
        switch self {
        case .completed, .sessionExists: true
        case .proven(let proven): proven != .absent
        case .sessionRefused(let refused): refused.code == .keyTaken
        case .error(let report): report.code == .keyTaken
        default: false
        }
    }
}

// MARK: - Progress

/// A part that took in less than it holds during a whole window.
struct SlowPart: Hashable {
    var session: SessionID
    var number: PartNumber
    /// The part may have been offered anew since.
    var flow: FlowID
    var device: SHA256Digest
    var reserved: UInt64
    var gained: UInt64
}

extension Gateway {
    /// Called once in every `progressWindow`: evicts what holds memory and does not move, and notes what is slow.
    mutating func judgeProgress() {
        judgesAt = context.now + limits.progressWindow
        var judgement = Judgement()
        for id in sessions.values.filter({ !$0.parts.isEmpty }).map(\.id).sorted(by: Gateway.isBefore) {
            sessions[id]?.judgeParts(&judgement, context.limits)
        }
        for id in connections.keys.sorted() { judgeLists(of: id, &judgement) }
        let moving = connections.keys.filter { id in
            guard let connection = connections[id] else { return false }
            let heard = connection.heardBytes &- connection.heardBytesMark
            return heard >= limits.progressBytesMin * (judgement.holders[id] ?? 0)
        }
        for id in connections.keys { connections[id]?.markHeardBytes() }
        judgement.stagnantParts.removeAll { moving.contains($0.owner.connection) }
        judgement.stagnantLists.removeAll { moving.contains($0.connection) }
        for part in judgement.stagnantParts { evictPart(part.number, of: part.session) }
        for list in judgement.stagnantLists { giveUpList(at: list) }
        slowParts = Gateway.firstToEvict(among: judgement.slowParts, bytesMax: limits.slowBytesMax)
        settleSlots()
    }

    /// The budget is full: evicts one slow part, where slow parts hold more than their share.
    mutating func makeRoomForParts() {
        while let slow = slowParts.popLast() {
            guard let part = sessions[slow.session]?.parts[slow.number], part.flow == slow.flow, !part.isWhole else {
                continue
            }
            return evictPart(slow.number, of: slow.session)
        }
    }

    private mutating func evictPart(_ number: PartNumber, of session: SessionID) {
        sessions[session]?.evictPart(number, &context)
        tidy(session)
    }

    /// What is wanted of lists is a page in every window, or the COMPLETE behind them.
    private mutating func judgeLists(of id: ConnectionID, _ judgement: inout Judgement) {
        let slots = connections[id]?.slots ?? [:]
        for slot in slots.filter({ $0.value.awaitsList }).keys.sorted(by: { $0.value < $1.value }) {
            judgement.holders[id, default: 0] += 1
            if connections[id]?.slots[slot]?.list.hasMoved() == false {
                judgement.stagnantLists.append(Attachment(connection: id, slot: slot))
            }
        }
    }

    private static func isBefore(_ left: SessionID, _ right: SessionID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }

    /// The slow parts that have to make room until the rest hold no more than their share, the first one last. Each
    /// time it is the slowest of the device that holds the most, and never a device's only one.
    private static func firstToEvict(among slow: [SlowPart], bytesMax: UInt64) -> [SlowPart] {
        var held = slow.reduce(0) { $0 + $1.reserved }
        guard held > bytesMax else { return [] }
        // The slowest last. The order of judging makes it one order everywhere.
        var ofDevices = Dictionary(grouping: slow, by: \.device).mapValues { $0.sorted { $0.gained > $1.gained } }
        var bytes = ofDevices.mapValues { $0.reduce(0) { $0 + $1.reserved } }
        let devices = slow.map(\.device)
        var leaving: [SlowPart] = []
        while held > bytesMax {
            var greatest: SHA256Digest?
            for device in devices where (ofDevices[device]?.count ?? 0) > 1 {
                if bytes[device] ?? 0 > greatest.flatMap({ bytes[$0] }) ?? 0 { greatest = device }
            }
            guard let greatest, let slowest = ofDevices[greatest]?.popLast() else { break }
            bytes[greatest] = (bytes[greatest] ?? 0) - slowest.reserved
            held -= slowest.reserved
            leaving.append(slowest)
        }
        return leaving.reversed()
    }
}

/// What is found while progress is judged.
struct Judgement {
    /// How much each connection holds that only its agent can move: parts and lists.
    var holders: [ConnectionID: UInt64] = [:]
    var stagnantParts: [(session: SessionID, number: PartNumber, owner: Attachment)] = []
    var stagnantLists: [Attachment] = []
    var slowParts: [SlowPart] = []
}

extension GatewayConnection {
    mutating func markHeardBytes() {
        heardBytesMark = heardBytes
    }
}

extension GatewayConnection.SlotUse {
    /// Whether budget is held for pages of a list, or for a whole one, and the agent has to go on.
    var awaitsList: Bool {
        if case .listing = stage { return true }
        return stage == .open && !list.entries.isEmpty
    }
}

extension GatewaySession {
    /// How much the agent might send of a part now, if nothing but the agent is awaited: bytes below the limit, or the
    /// COMPLETE of a one-part file that is whole; else 0.
    private func creditToUse(of part: GatewayPart) -> UInt64 {
        guard part.owner != nil, !part.isUndecided else { return 0 }
        if part.isWhole { return isOnePart && part.release == .held ? 1 : 0 }
        return part.limit > part.received ? part.limit - part.received : 0
    }

    mutating func judgeParts(_ judgement: inout Judgement, _ limits: GatewayLimits) {
        for number in parts.keys.sorted() {
            guard let part = parts[number], let owner = part.owner, creditToUse(of: part) > 0 else {
                parts[number]?.progressMark = nil
                continue
            }
            judgement.holders[owner.connection, default: 0] += 1
            if let mark = part.progressMark {
                let gained = part.received - mark.received
                if gained < min(limits.progressBytesMin, mark.credit) {
                    judgement.stagnantParts.append((id, number, owner))
                }
                if gained < part.reserved, !part.isWhole {
                    judgement.slowParts.append(
                        SlowPart(
                            session: id, number: number, flow: part.flow, device: device.fingerprint,
                            reserved: part.reserved, gained: gained))
                }
            }
            let mark = GatewayPart.ProgressMark(received: part.received, credit: creditToUse(of: part))
            parts[number]?.progressMark = mark
        }
    }

    /// Drops the part and tells the agent to offer it again; the session stays open.
    mutating func evictPart(_ number: PartNumber, _ context: inout GatewayContext) {
        guard let owner = parts[number]?.owner else { return }
        dropPart(number, &context)
        let refusal = SessionRefused(
            .partInterrupted, retryAfter: context.limits.laterAdvice, message: "the part did not move")
        reportPart(number, refusal, to: owner, &context)
        context.actions.append(.note(.partEvicted(id, number)))
    }
}
