import GatewayKit
import NIOCore
import SeededRandom
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Replays the gateway's side of a conversation against the agent's machine, and compares the machine's frames with the
/// agent's side. A *line* is a line of the conversation; its session ids and slots differ from those that the agent
/// chooses.
///
/// The replay takes adjacent lines about different parts in any order, so the agent may handle as many parts at once as
/// it likes. If the agent sends an offer that no line contains, the replay does not answer it. Frames that an agent may
/// send ahead of an answer may also come after the answer.
final class AgentReplay {
    struct Sent {
        enum What {
            case frame(Frame)
            case data(PartNumber, Range<UInt64>)
        }

        var connection: Int
        var slot: Slot
        var what: What

        var frame: Frame? { if case .frame(let frame) = what { frame } else { nil } }

        var part: PartNumber? {
            switch what {
            case .frame(let frame): frame.part
            case .data(let part, _): part
            }
        }
    }

    let schedule = Schedule()
    let lines: [Conversation.Line]
    let script: AgentScript
    let cryptography: SiteCryptography
    let journal = VirtualJournal()
    var files: [UploadID: VirtualFile] = [:]
    private var partBytes: [String: UInt64] = [:]
    private var uploads: [String: UploadID] = [:]
    private var hosts: [Int: AgentHost] = [:]
    private var submitted: [Int: Set<String>] = [:]
    /// The indexes of the PROVE lines whose question the user has asked.
    var asked: Set<Int> = []
    var wires: [Int: Wire] = [:]
    var connectionCounts: [Int: Int] = [:]
    var numbers: [Int: [ConnectionID: Int]] = [:]
    lazy var nowhere = GatewayHost(world: self, store: VirtualStore(schedule: schedule)) {
        Gateway(
            limits: GatewayLimits(
                parts: PartRule(
                    partBytesMin: 1, partBytesMax: 1, partBytesDefault: 1, partsMax: 1, objectBytesMax: 1)),
            cryptography: ToyCryptography(), software: "")
    }
    /// The agent's frames and data that were not compared with a line yet, in order.
    var sent: [Sent] = []
    /// For each session id that the agent has chosen: the id that the lines use for the same session.
    var sessions: [SessionID: SessionID] = [:]
    /// For each slot of the lines: the session id that the lines use in it.
    private(set) var sessionIDs: [SlotPlace: SessionID] = [:]
    /// For each part of the lines that the agent has offered in another slot than the lines use: the agent's slot.
    var redirects: [PartPlace: SlotPlace] = [:]
    /// For each slot of the lines: the slot that the agent has chosen for the same purpose.
    private var slots: [SlotPlace: Slot] = [:]
    /// Slots with an unanswered SESSION OPEN, RESUME QUERY, ABORT or PROVE.
    private var unanswered: Set<SlotPlace> = []
    /// For each part on a connection: the slot in which the agent offered it last.
    var offered: [OfferPlace: Slot] = [:]
    /// The index of the line whose frame is lost with its connection, if there is one.
    let lostIndex: Int?
    /// For each part that the gateway has named as a partial or candidate: its digest, and the decision with which the
    /// replay answers an offer of the part.
    var named: [PartPlace: (digest: SHA256Digest, decision: PartDecision.Decision)] = [:]
    /// How much of each part the agent may send.
    var credit = AgentCredit()
    /// The parts that the gateway has deferred, each with the agent's slot.
    var deferred: Set<PartPlace> = []
    /// Verifies the receipts that the lines contain.
    var receipts = ReceiptLedger()
    let signed = SignedStatements()
    private var dismissed: Set<Int> = []
    /// The parts that the gateway rejects in the conversation when they are first sent. The agent's first read of such
    /// a part returns this wrong digest.
    private var wrongDigests: [PartNumber: SHA256Digest] = [:]
    var position = 0
    var violations: [String] = []
    /// How many of the agent's frames were compared with a line.
    var comparedCount = 0

    init(_ conversation: Conversation) throws {
        lines = conversation.lines
        lostIndex = try conversation.indexOfLostFrame()
        cryptography = try ReplaySite.cryptography()
        script = try AgentScript(lines, tokens: cryptography.session)
        var offered: [PartNumber: SHA256Digest] = [:]
        for case .frame(let line) in lines {
            switch try line.content() {
            case .frame(_, .partOffer(let offer)): offered[offer.part] = offer.digest
            case .frame(_, .error(let report)) where report.code == .digestMismatch:
                if case .part(let part) = report.scope { wrongDigests[part] = offered[part] }
            default: break
            }
        }
    }

    /// Replays all lines.
    ///
    /// - Throws: `ReplayFailure` at the first difference.
    func run() throws {
        var bag = PartLines()
        for (index, line) in lines.enumerated() {
            if case .frame(let frame) = line, let place = try frame.place() {
                bag.add(frame, index: index, at: place)
                continue
            }
            try take(&bag, mayWait: isAnswerToOpening(line))
            position = index + 1
            try perform(line, index: index, &bag)
        }
        try take(&bag, mayWait: false)
        try checkOutcome()
        if let violation = violations.first { throw failure(violation) }
    }

    private func isInFlight(_ index: Int) -> Bool {
        if index > 0, case .frame(let line) = lines[index - 1] { line.sender == .gateway } else { false }
    }

    /// Whether the line is an answer to a frame that opens a slot. An agent may send other frames before or after such
    /// an answer.
    private func isAnswerToOpening(_ line: Conversation.Line) -> Bool {
        guard case .frame(let frame) = line else { return false }
        return frame.type == .sessionOpened || frame.type == .resumeState
    }

    private func perform(_ line: Conversation.Line, index: Int, _ bag: inout PartLines) throws {
        switch line {
        case .frame(let frame) where frame.sender == .agent: try expect(frame)
        case .frame(let frame):
            guard case .frame(let slot, let answer) = try frame.content() else { return }
            if index == lostIndex { return }
            let place = actual(SlotPlace(connection: frame.connection, slot: slot))
            // The agent may send frames between two adjacent frames of the gateway. So only the first frame of such a
            // sequence is checked.
            if !isInFlight(index) { try expectNothingEarly(at: place) }
            if answer.closesSlot { try close(place, line: SlotPlace(connection: frame.connection, slot: slot), &bag) }
            if answer.type == .sessionOpened || answer.type == .resumeState { unanswered.remove(place) }
            if answer.type == .goAway { dismissed.insert(frame.connection) }
            try deliver(frame, to: place)
        case .connect(let number): try connect(number)
        case .pause(let milliseconds): try pause(.milliseconds(Int64(milliseconds)))
        case .close(let number, .agent): try closeByAgent(number)
        case .close(let number, .gateway):
            wires[number]?.close(from: .toAgent)
            settle()
        case .store, .restart, .drain, .invitation: break  // The line concerns only the gateway.
        }
    }

    /// Runs the schedule for a millisecond, so that the machine handles everything that has arrived.
    func settle() {
        schedule.run(for: .milliseconds(1))
    }

    /// Advances the clock until the condition holds, at most for two minutes: an agent may wait a while before it
    /// retries.
    func wait(for condition: () -> Bool) -> Bool {
        settle()
        let deadline = schedule.now + .seconds(120)
        while !condition(), schedule.now < deadline, schedule.step() {}
        return condition()
    }

    func failure(_ reason: String) -> ReplayFailure { ReplayFailure(line: position, reason: reason) }

    // MARK: Connections and processes

    private func connect(_ number: Int) throws {
        guard let run = script.run(of: number) else { throw failure("connection \(number) has no HELLO") }
        let host = hosts[run] ?? makeHost(run)
        hosts[run] = host
        if submitted[run] == nil { try submit(in: run, host) }
        if let question = script.question(in: run, from: position - 1) { ask(question, host) }
        guard wait(for: { wires[number] != nil }) else { throw failure("the agent did not connect") }
    }

    private func makeHost(_ run: Int) -> AgentHost {
        var limits = AgentLimits()
        limits.connections = script.connectionsMax
        let identity = AgentIdentity(
            fingerprint: .zero, run: script.runs[run].id, capabilities: script.runs[run].capabilities,
            software: "sluice-agent/1.0")
        let host = AgentHost(world: self, number: run) { now in
            Agent(
                limits: limits, identity: identity, cryptography: ReplayCryptography(signed: self.signed),
                generator: SeededGenerator(seed: UInt64(run) + 1), now: now)
        }
        host.tamperReading = { [unowned self] _, reading in
            guard case .read(let digest, let md5, let stamp) = reading,
                let part = self.wrongDigests.keys.first(where: { self.isContent(digest, of: $0) }),
                let wrong = self.wrongDigests.removeValue(forKey: part)
            else { return reading }
            return .read(digest: wrong, md5: md5, stamp: stamp)
        }
        return host
    }

    private func isContent(_ digest: SHA256Digest, of part: PartNumber) -> Bool {
        files.values.contains { file in
            file.read(start: UInt64(part.value - 1) * 16, count: 16).map { ToyDigest.sha256($0) } == digest
        }
    }

    private func submit(in run: Int, _ host: AgentHost) throws {
        let idle = AgentScript.Push(
            key: "camera/1.bin", size: 10, partBytes: 16, modification: ModificationTime(seconds: 0, nanoseconds: 0),
            policy: .verify)
        guard let push = try script.push(in: run, from: max(position - 1, 0)) ?? (script.isIdle ? idle : nil),
            submitted[run, default: []].insert(push.key).inserted
        else { return }
        let id = uploads[push.key] ?? UploadID(Int64(uploads.count) + 1)
        partBytes[push.key] = push.partBytes
        if uploads.updateValue(id, forKey: push.key) == nil {
            files[id] = VirtualFile(
                bytes: script.content(of: push), inode: UInt64(id.value), seconds: push.modification.seconds,
                nanoseconds: push.modification.nanoseconds)
            let wish = push.partBytes == 16 ? nil : push.partBytes
            journal.add(.init(id: id, key: push.key, policy: push.policy, partBytesWish: wish))
            if let saved = push.saved, let stamp = files[id]?.stamp {
                journal.apply(.began(id, savedSession(saved, stamp: stamp)))
            }
        }
        if !script.resumes(push.key, in: run), journal.rows[id]?.saved?.token.isEmpty == false {
            journal.forgetSessions()
        }
        guard var request = journal.request(for: id, stamp: files[id]?.stamp) else { return }
        request.isStream = push.size == nil
        request.wantsReceipt = push.wantsReceipt
        request.metadata = push.metadata
        host.submit(request)
    }

    /// The file that the user submitted for a key, and its part size.
    func file(of key: String) -> (VirtualFile, partBytes: UInt64)? {
        guard let file = uploads[key].flatMap({ files[$0] }), let partBytes = partBytes[key] else { return nil }
        return (file, partBytes)
    }

    private func savedSession(_ token: SessionToken, stamp: FileStamp) -> SavedSession {
        var sealed: [UInt8] = []
        for case .frame(let line) in lines.dropFirst(position) where sealed.isEmpty && line.type == .resumeQuery {
            // `try?`: `init` has decoded every line, and throws if it cannot.
            if case .frame(_, .resumeQuery(let query)) = try? line.content() { sealed = query.token }
        }
        return SavedSession(
            session: token.session, token: sealed, partBytes: token.terms.partBytes, condition: token.terms.condition,
            stamp: stamp, parts: [], losses: 0)
    }

    private func closeByAgent(_ number: Int) throws {
        settle()
        guard let wire = wires[number], let run = script.run(of: number) else { return }
        let later = lines.dropFirst(position).compactMap { if case .connect(let next) = $0 { next } else { nil } }
        if dismissed.contains(number) {
            guard wire.isCutAtAgent else { throw failure("the agent did not close connection \(number)") }
        } else if let next = later.first, script.run(of: next) != run {
            hosts[run]?.kill()
        } else if !wire.isCutAtAgent {
            wire.end(.cut)
        }
        sent.removeAll { $0.connection == number }
        settle()
    }

    // MARK: Lines about a session or a connection

    private func expect(_ line: Conversation.FrameLine) throws {
        guard case .frame(let slot, let expected) = try line.content(), let run = script.run(of: line.connection),
            let host = hosts[run]
        else { throw failure("no agent has connection \(line.connection)") }
        let isNext: (Sent) -> Bool = { $0.connection == line.connection && $0.part == nil }
        if case .sessionOpen = expected { try submit(in: run, host) }
        if case .prove = expected, let question = script.question(in: run, from: position - 1) { ask(question, host) }
        try noteReceipt(of: expected, slot: slot, on: line.connection)
        if case .sessionLeave = expected, !sent.contains(where: isNext) { drop(in: run, host) }
        guard wait(for: { sent.contains(where: isNext) }), let index = sent.firstIndex(where: isNext),
            let got = sent[index].frame
        else { throw failure("the agent did not send \(expected)") }
        let place = SlotPlace(connection: line.connection, slot: slot)
        if expected.beginsUse { slots[place] = sent[index].slot }
        guard sent[index].slot == actual(place).slot,
            try translated(got, line: expected).comparable == expected.comparable
        else { throw failure("the agent sent \(got) in slot \(sent[index].slot), not \(expected)") }
        sent.remove(at: index)
        switch expected {
        case .sessionOpen(let open): sessionIDs[actual(place)] = open.session
        case .resumeQuery(let query): sessionIDs[actual(place)] = cryptography.session(of: query.token)?.session
        case .sessionLeave: sent.removeAll { $0.connection == place.connection && $0.slot == actual(place).slot }
        default: break
        }
        if expected.beginsUse { unanswered.insert(actual(place)) }
        comparedCount += 1
    }

    /// The agent's slot for a slot of the lines. The agent chooses the slot's number itself, so the two may differ.
    func actual(_ place: SlotPlace) -> SlotPlace {
        SlotPlace(connection: place.connection, slot: slots[place] ?? place.slot)
    }

    /// Checks that the agent sent no frame about the session too early. COMPLETE of a one-part file may come before the
    /// answer to the frame that opened the slot.
    private func expectNothingEarly(at place: SlotPlace) throws {
        let early = sent.first { sent in
            guard sent.connection == place.connection, sent.slot == place.slot, let frame = sent.frame else {
                return false
            }
            return frame.part == nil && !(frame.type == .complete && unanswered.contains(place))
        }
        if let early { throw failure("no line has what the agent sent: \(early.what)") }
    }

    private func drop(in run: Int, _ host: AgentHost) {
        for key in submitted[run] ?? [] {
            guard let id = uploads[key] else { continue }
            host.handle(.dropped(id))
        }
    }

    /// The agent's frame with the session ids of the lines, so that it can be compared with a line.
    private func translated(_ frame: Frame, line: Frame) throws -> Frame {
        guard case .sessionOpen(let open) = frame, case .sessionOpen(let expected) = line else { return frame }
        let known = sessions.first { $0.value == expected.session }?.key
        guard known == nil || known == open.session, sessions[open.session] ?? expected.session == expected.session
        else { throw failure("the agent opened \(open.session) where the line has \(expected.session)") }
        sessions[open.session] = expected.session
        var terms = try open.terms
        if case .matches(let session) = terms.condition { terms.condition = .matches(sessions[session] ?? session) }
        return .sessionOpen(
            SessionOpen(
                session: expected.session, terms: terms, compares: open.compares, asksForReceipt: open.asksForReceipt))
    }

    /// Delivers a line of the gateway, with the session ids that the agent has chosen.
    func deliver(_ line: Conversation.FrameLine, to place: SlotPlace) throws {
        guard let wire = wires[place.connection], case .frame(let slot, let frame) = try line.content() else { return }
        try noteReceipt(of: frame, slot: slot, on: line.connection)
        let session = frame.session.flatMap { named in sessions.first { $0.value == named }?.key }
        try send(session.map(frame.with) ?? frame, to: place, on: wire)
        note(frame, at: place)
        while try answerOfferOfNamedPart() {}
    }

    /// Sends a frame to the agent, which reads it at once.
    func send(_ frame: Frame, to place: SlotPlace, on wire: Wire) throws {
        var buffer = ByteBuffer()
        try frame.encode(slot: place.slot, into: &buffer)
        credit.note(frame, at: place)
        wire.write(buffer, .toAgent)
        settle()
    }

    /// Handles a frame of the gateway that closes a slot. Drops the frames that the agent has sent ahead in this slot,
    /// and the slot's remaining lines.
    private func close(_ place: SlotPlace, line: SlotPlace, _ bag: inout PartLines) throws {
        for part in Set(sent.compactMap(\.part)) { try expectNoMoreData(at: PartPlace(slot: place, part: part)) }
        sent.removeAll { $0.connection == place.connection && $0.slot == place.slot }
        bag.remove(line)
        slots[line] = nil
        sessionIDs[place] = nil
        unanswered.remove(place)
    }

    private func checkOutcome() throws {
        settle()
        try checkReceipts()
        guard case .frame(let last) = lines.last, last.type == .completed,
            let run = script.run(of: last.connection), let host = hosts[run]
        else { return }
        let isStored = host.outcomes.values.contains { if case .stored = $0 { true } else { false } }
        guard isStored else { throw failure("the agent does not say that the file is stored") }
    }
}
