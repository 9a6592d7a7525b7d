import NIOCore
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

// How the bytes of an input become events.

extension GatewayCourse {
    /// The kinds of events, in the order of the first bytes that select them.
    enum Event: UInt8, CaseIterable {
        case accept, hello, lose, open, offer, chunk, payload, complete, resume, list, abort, leave, rawFrame
        case answer, answerWell, consume, time, devices, drain, malformed, ping, peerError
    }

    mutating func step() throws(FuzzFinding) {
        let kind = Event(rawValue: UInt8(input.choice(Event.allCases.count))) ?? .time
        event = "\(kind)"
        now = now + .milliseconds(1)
        switch kind {
        case .accept: accept()
        case .lose:
            if let id = connection() {
                machine.handle(.connectionLost(id), now: now)
                forget(id)
            }
        case .payload: try deliver(to: connection())
        case .answer:
            if let (id, request) = takeRequest(input.choice(max(requests.count, 1))) {
                answer(id, drawnAnswer(request))
            }
        case .answerWell:
            if let (id, request) = takeRequest(0) { answer(id, goodAnswer(request)) }
        case .consume: consume()
        case .time:
            now = now + .milliseconds([1, 50, 1_000, 5_000, 20_000, 60_000][input.choice(6)])
            machine.handle(.tick, now: now)
        case .devices:
            let mask = input.choice(4)
            let listed = Self.devices.indices.filter { mask >> $0 & 1 == 0 }.map { Self.devices[$0] }
            machine.handle(.devicesChanged(listed), now: now)
        case .drain:
            // Once a gateway drains, it soon does nothing more, so this event must be rare. Otherwise the fuzzer would
            // reach no other states.
            if input.byte() == 0xD0 { machine.handle(.drain(within: .seconds(5)), now: now) }
        default:
            try frameEvent(kind)
        }
        try perform()
    }

    private mutating func frameEvent(_ kind: Event) throws(FuzzFinding) {
        guard let id = connection() else { return }
        // On the wire, the rest of a payload comes before the next frame of the same connection.
        while chunks[id] != nil { try deliver(to: id, all: true) }
        guard living.contains(id) else { return }
        if kind == .hello { return receive(.hello(drawnHello()), 0, from: id) }
        if kind == .malformed {
            machine.handle(.malformed(.badValue, message: "m", from: id), now: now)
            return
        }
        if kind == .rawFrame { return try receiveRaw(from: id) }
        if kind == .ping { return receivePing(input.integer(), from: id) }
        // The decoder rejects slot 0 for frames of a session. It accepts slots that are beyond the limit in WELCOME.
        let slot = UInt16(input.choice(8)) + 1
        switch kind {
        case .open: open(slot, from: id)
        case .offer: if let offer = drawnOffer(slot, from: id) { receive(.partOffer(offer), slot, from: id) }
        case .chunk: try beginChunk(slot, from: id)
        case .complete: receive(.complete(drawnCompletion(slot, from: id)), slot, from: id)
        case .resume:
            let listed = UInt32([0, 1, 2, 3, 200, 10_000, 70_000, Int(UInt32.max)][input.choice(8)])
            receive(.resumeQuery(ResumeQuery(listedParts: listed, token: drawnToken())), slot, from: id)
        case .list: receive(.partList(drawnList(slot, from: id)), slot, from: id)
        case .abort: receive(.abort(Abort(token: drawnToken())), slot, from: id)
        case .leave: receive(.sessionLeave(SessionLeave()), slot, from: id)
        default:
            let isOfConnection = slot == 8
            let report = ErrorReport(
                scope: isOfConnection ? .connection : .session, code: .busy, retryAfterMilliseconds: 0, message: "")
            receive(.error(report), isOfConnection ? 0 : slot, from: id)
        }
    }

    /// `nonce` selects whether PING, PROVE or REPORT is delivered.
    private mutating func receivePing(_ nonce: UInt64, from id: ConnectionID) {
        switch nonce & 3 {
        case 1:
            let prove = Prove(
                size: [0, 900, 2_500, .max][Int(nonce >> 2 & 3)], partBytes: nonce >> 8 & 0xFFFF | 1,
                root: ToyDigest.root([ToyDigest.sha256([UInt8(truncatingIfNeeded: nonce >> 24)])]),
                key: ["f", "", "../f", "f/g"][Int(nonce >> 4 & 3)], readsBack: nonce >> 6 & 1 == 1)
            receive(.prove(prove), UInt16(nonce >> 32 & 7) + 1, from: id)
        case 2:
            let report = StatusReport(
                status: AgentStatus(rawValue: UInt8(truncatingIfNeeded: nonce >> 8)), pendingItems: 1,
                pendingBytes: nonce, oldestSeconds: 0, quarantinedItems: 0, freeBytes: nil, reason: "r")
            receive(.report(report), 0, from: id)
        default:
            receive(.ping(Ping(nonce: nonce)), 0, from: id)
        }
    }

    private mutating func accept() {
        lastConnection += 1
        let id = ConnectionID(lastConnection)
        living.append(id)
        machine.handle(.accepted(id), now: now)
    }

    private mutating func connection() -> ConnectionID? {
        let choice = input.choice(8)
        return living.isEmpty ? nil : living[choice % living.count]
    }

    private mutating func receive(_ frame: Frame, _ slot: UInt16, from id: ConnectionID) {
        machine.handle(.frame(frame, slot: Slot(slot), from: id, wallMilliseconds: 0), now: now)
    }

    /// Delivers any frame that the decoder accepts.
    private mutating func receiveRaw(from id: ConnectionID) throws(FuzzFinding) {
        let body = input.bytes(Int(input.byte()))
        guard body.count >= 4 else { return }
        var buffer = ByteBuffer(integer: UInt32(body.count - 4))
        buffer.writeBytes(body)
        var decoder = FrameDecoder(receiver: .gateway)
        decoder.append(buffer)
        do throws(WireError) {
            guard case .frame(let slot, let frame) = try decoder.next() else { return }
            if case .sessionOpen(let open) = frame { note(open) }
            receive(frame, slot.value, from: id)
        } catch {
            machine.handle(.malformed(error.code, message: error.description, from: id), now: now)
        }
    }

    mutating func note(_ open: SessionOpen) {
        // The gateway will refuse a session with invalid metadata, so the test need not know its part plan.
        guard let terms = try? open.terms, let plan = PartPlan(fileBytes: terms.size, partBytes: terms.partBytes)
        else { return }
        plans[open.session, default: []].append(plan)
    }

    // MARK: Data

    private mutating func beginChunk(_ slot: UInt16, from id: ConnectionID) throws(FuzzFinding) {
        let offsets: [UInt64] = [0, 0, 100, 256, 512, 768, 1_000, .max - 256]
        let offset = offsets[input.choice(offsets.count)]
        let count = UInt32([256, 256, 100, 1, 132, 232, 244, 257][input.choice(8)])
        guard let part = PartNumber(UInt32(input.choice(4) + 1)) else { return }
        let header = PartDataHeader(
            part: part, offset: offset, plainBytes: count, isCompressed: false, payloadBytes: count)
        switch machine.handle(.data(header, slot: Slot(slot), from: id), now: now).partData {
        case .accept(let flow, let skip):
            try hold(skip < UInt64(count), "\(skip) of \(count) bytes are skipped")
            try hold(flows[flow] != nil, "bytes are wanted for a flow that is not there")
            let sender = flows[flow]?.device
            try hold(sender == nil || sender == deviceNames[id], "one flow has bytes of two devices")
            flows[flow]?.device = deviceNames[id]
            chunks[id] = Chunk(flow: flow, bytesLeft: UInt64(count) - skip)
        case .discard, .violation:
            break
        }
    }

    private mutating func deliver(to id: ConnectionID?, all: Bool = false) throws(FuzzFinding) {
        guard let id, let chunk = chunks[id] else { return }
        let count = all ? chunk.bytesLeft : min(chunk.bytesLeft, UInt64(input.byte()) + 1)
        chunks[id] = chunk.bytesLeft == count ? nil : Chunk(flow: chunk.flow, bytesLeft: chunk.bytesLeft - count)
        guard machine.handle(.bytes(count, flow: chunk.flow, from: id), now: now).areBytesWanted else {
            chunks[id] = nil
            return
        }
        guard var flow = flows[chunk.flow] else { throw FuzzFinding("bytes are wanted for a flow that is not there") }
        flow.appended += count
        try hold(flow.appended <= flow.size, "a flow has more bytes than its part")
        flows[chunk.flow] = flow
        try perform()
    }

    private mutating func consume() {
        let ids = flows.keys.sorted()
        guard !ids.isEmpty else { return }
        let id = ids[input.choice(ids.count)]
        guard var flow = flows[id] else { return }
        flow.consumed = min(flow.appended, flow.consumed + UInt64(input.byte()) * 4)
        flows[id] = flow
        machine.handle(.consumed(total: flow.consumed, flow: id), now: now)
    }

    private mutating func takeRequest(_ index: Int) -> (StoreRequestID, StoreRequest)? {
        guard index < requests.count else { return nil }
        let (id, request) = requests.remove(at: index)
        return (id, request)
    }

    private mutating func answer(_ id: StoreRequestID, _ answer: StoreAnswer) {
        machine.handle(.storeAnswered(id, answer, wallMilliseconds: 0), now: now)
    }
}
