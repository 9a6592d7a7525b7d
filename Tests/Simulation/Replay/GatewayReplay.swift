import GatewayKit
import NIOCore
import SeededRandom
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Replays the agent's side of a conversation against the gateway's machine, and compares the machine's frames with the
/// gateway's side. A *line* is a line of the conversation. A *flight* is a sequence of lines of the agent without
/// another line in between.
///
/// The replay writes the lines of one flight together. Then the store answers, and the machine runs until it is idle.
/// The replay compares all frames that the machine has sent with the gateway's lines that follow. It fails if a frame
/// has no line or a line has no frame.
final class GatewayReplay: HostWorld {
    private struct Sent {
        var connection: Int
        var slot: Slot
        var frame: Frame
    }

    private struct Place: Hashable {
        var connection: Int
        var slot: Slot
        var part: PartNumber
    }

    private struct Offered {
        var size: UInt64
        var end: UInt64 = 0
        var isDecided = false
        var isAhead = false
    }

    let schedule = Schedule()
    private let lines: [Conversation.Line]
    private let cryptography: SiteCryptography
    private let store: VirtualStore
    private let devices: [AuthorisedDevice]
    private var invitation: (device: (SHA256Digest) -> AuthorisedDevice, secret: InvitationSecret)?
    private lazy var host = makeHost()
    private var wires: [Int: Wire] = [:]
    private var numbers: [ConnectionID: Int] = [:]
    /// The machine's frames that were not compared with a line yet. RECEIVED is never compared.
    private var sent: [Sent] = []
    private var offers: [Place: Offered] = [:]
    private var uploads: [SessionID: String] = [:]
    private var pings: [Int: UInt64] = [:]
    private var position = 0
    private var isFlight = false
    private var violations: [String] = []
    private var receipts = ReceiptLedger()
    /// How many of the machine's frames were compared with a line.
    private(set) var comparedCount = 0

    init(_ conversation: Conversation) throws {
        let lines = conversation.lines
        self.lines = lines
        cryptography = try ReplaySite.cryptography()
        store = VirtualStore(schedule: schedule)
        store.latency = .microseconds(10)
        store.etag = { "\"\($0)\"" }
        let isInvited = lines.contains { if case .invitation = $0 { true } else { false } }
        let device = AuthorisedDevice(
            name: ReplaySite.deviceName, fingerprint: try ReplaySite.fingerprint(), prefix: ReplaySite.prefix)
        devices = isInvited ? [] : [device]
        for case .frame(let line) in lines {
            guard case .frame(_, let frame) = try line.content(), let token = frame.token.flatMap(cryptography.session)
            else { continue }
            uploads[token.session] = token.upload
        }
        store.uploadName = { [unowned self] in self.uploads[$0] }
    }

    private func makeHost() -> GatewayHost {
        var limits = GatewayLimits(
            parts: PartRule(
                partBytesMin: 16, partBytesMax: 1 << 20, partBytesDefault: 16, partsMax: 4, objectBytesMax: 1 << 20))
        limits.slotsMax = 64
        let host = GatewayHost(world: self, store: store) { [unowned self] in
            var machine = Gateway(limits: limits, cryptography: self.cryptography, software: "sluice-gateway/1.0")
            machine.handle(.devicesChanged(self.devices), now: self.schedule.now)
            return machine
        }
        host.clockOffsetMilliseconds = ReplaySite.wallMilliseconds
        host.decompress = plainBytes
        host.enrol = { [unowned self] fingerprint, secret in
            guard let invitation = self.invitation, invitation.secret == secret else { return .invalid }
            return .registered(invitation.device(fingerprint))
        }
        return host
    }

    /// Replays all lines.
    ///
    /// - Throws: `ReplayFailure` at the first difference.
    func run() throws {
        for (index, line) in lines.enumerated() {
            position = index + 1
            if case .frame(let frame) = line, frame.sender == .agent {
                if !isFlight { try expectNothingMore() }
                isFlight = true
                try write(frame)
                continue
            }
            isFlight = false
            settle()
            try perform(line)
        }
        settle()
        try expectNothingMore()
        for (number, wire) in wires where wire.isCutAtGateway {
            throw failure("the gateway closed connection \(number)")
        }
        if let violation = violations.first { throw failure(violation) }
    }

    private func perform(_ line: Conversation.Line) throws {
        switch line {
        case .frame(let frame): try expect(frame)
        case .connect(let connection): connect(connection)
        case .pause(let milliseconds): schedule.run(for: .milliseconds(Int64(milliseconds)))
        case .close(let connection, .agent): wires.removeValue(forKey: connection)?.close(from: .toGateway)
        case .close(let connection, .gateway):
            guard wires.removeValue(forKey: connection)?.isCutAtGateway == true else {
                throw failure("the gateway did not close connection \(connection)")
            }
        case .restart: host.restart()
        case .drain(let milliseconds):
            host.change { $0.handle(.drain(within: .milliseconds(Int64(milliseconds))), now: schedule.now) }
        case .invitation(let name, let prefix, let secret):
            invitation = ({ AuthorisedDevice(name: name, fingerprint: $0, prefix: prefix) }, secret)
        case .store(let event): perform(event)
        }
    }

    private func perform(_ event: Conversation.StoreEvent) {
        switch event {
        case .object(let object):
            let evidence = object.keepsDigest ? ContentEvidence.wholeDigest(ToyDigest.sha256(object.content)) : .none
            store.put(
                object.content, key: object.key, evidence: evidence, session: object.session,
                isVerified: object.keepsDigest)
        case .part(let part, let upload, let content, let etag):
            store.put(content, part: part, upload: upload, etag: etag)
        case .full:
            // A store reports *full* only after it has received all bytes of a request. So the replay does not prevent
            // the request, but changes the answer.
            host.tamperAnswer = { answer, request in
                [.storePart, .storeObject].contains(request.kind) ? .failed(.full) : answer
            }
        case .well: host.tamperAnswer = nil
        case .gone(let upload): store.loseUpload(upload)
        }
    }

    /// Runs the schedule for a millisecond, so that the machine handles everything that has arrived.
    private func settle() {
        schedule.run(for: .milliseconds(1))
    }

    private func failure(_ reason: String) -> ReplayFailure { ReplayFailure(line: position, reason: reason) }

    private func connect(_ number: Int) {
        // This agent ignores the frames that it receives. The replay compares the gateway's frames when the gateway
        // sends them.
        let nobody = AgentHost(world: self) { now in
            let identity = AgentIdentity(
                fingerprint: .zero, run: RunID(high: 0, low: 0), capabilities: [], software: "")
            return Agent(
                limits: AgentLimits(), identity: identity, cryptography: ToyCryptography(),
                generator: SeededGenerator(seed: 1), now: now)
        }
        wires[number] = host.accept { id in
            numbers[id] = number
            return Wire(id: id, gatewayID: id, gateway: host, agent: nobody)
        }
    }

    // MARK: The agent's lines

    private func write(_ line: Conversation.FrameLine) throws {
        guard let wire = wires[line.connection] else { throw failure("connection \(line.connection) is closed") }
        var buffer = ByteBuffer(bytes: line.bytes)
        switch try line.content() {
        case .frame(let slot, .partOffer(let offer)):
            offers[Place(connection: line.connection, slot: slot, part: offer.part)] = Offered(size: offer.size)
        case .data(let slot, let header, _):
            let place = Place(connection: line.connection, slot: slot, part: header.part)
            // A named partial counts as decided, although the agent did not offer it.
            offers[place, default: Offered(size: .max, isDecided: true)].end = header.offset + UInt64(header.plainBytes)
            if offers[place]?.isDecided == false { offers[place]?.isAhead = true }
        case .frame(_, .pong(let pong)):
            buffer = ByteBuffer()
            try Frame.pong(Pong(nonce: pings[line.connection] ?? pong.nonce)).encode(slot: .connection, into: &buffer)
        case .frame(let slot, let frame):
            let session = frame.token.flatMap(cryptography.session)?.session
            _ = try receipts.note(frame, slot: slot, on: line.connection, session: session)
        }
        wire.write(buffer, .toGateway)
    }

    // MARK: The gateway's lines

    private func expect(_ line: Conversation.FrameLine) throws {
        guard case .frame(let slot, let expected) = try line.content() else { return }
        if case .received = expected { return }
        guard let index = indexOfAnswer(to: expected, connection: line.connection, slot: slot) else {
            throw failure("the gateway did not send \(expected)" + words(of: sent))
        }
        let got = sent.remove(at: index).frame
        if case .ping(let ping) = got { pings[line.connection] = ping.nonce }
        guard comparable(got, line.connection, slot) == comparable(expected, line.connection, slot) else {
            throw failure("the gateway sent \(got), not \(expected)")
        }
        if let objection = try receipts.note(got, slot: slot, on: line.connection, session: nil) {
            throw failure(objection)
        }
        if case .partDecision(let decision) = expected {
            offers[Place(connection: line.connection, slot: slot, part: decision.part)]?.isDecided = true
        }
        comparedCount += 1
    }

    /// The index of the machine's frame to compare with a line. It is the first frame in the line's slot; for a line
    /// about a part, frames about other parts are skipped.
    private func indexOfAnswer(to expected: Frame, connection: Int, slot: Slot) -> Int? {
        for (index, frame) in sent.enumerated() where frame.connection == connection && frame.slot == slot {
            if frame.frame.part == nil || frame.frame.part == expected.part { return index }
            // The gateway may reorder frames about different parts. No other frame may overtake a frame about a part.
            if expected.part == nil { return index }
        }
        return nil
    }

    private func comparable(_ frame: Frame, _ connection: Int, _ slot: Slot) -> Frame {
        switch frame {
        case .partDecision(let decision):
            let offered = offers[Place(connection: connection, slot: slot, part: decision.part)]
            let decision = decision.comparable(size: offered?.size ?? .max, isAhead: offered?.isAhead ?? false)
            return .partDecision(decision)
        case .partList(let list): return .partList(list.comparable)
        default: return frame.comparable
        }
    }

    private func expectNothingMore() throws {
        guard sent.isEmpty else { throw failure("no line has what the gateway sent" + words(of: sent)) }
    }

    private func words(of sent: [Sent]) -> String {
        sent.map { "; on \($0.connection) in slot \($0.slot): \($0.frame)" }.joined()
    }

    func sends(_ frame: Frame, slot: Slot, on id: ConnectionID, from gateway: GatewayHost) {
        guard let number = numbers[id] else { return violation("a frame for no connection: \(frame)") }
        guard case .received(let received) = frame else {
            return sent.append(Sent(connection: number, slot: slot, frame: frame))
        }
        let end = offers[Place(connection: number, slot: slot, part: received.part)]?.end
        if received.received > end ?? 0 { violation("\(received), where the agent sent \(end ?? 0) bytes") }
    }

    // MARK: What the hosts ask

    func violation(_ text: String) { violations.append(text) }

    func duration(of work: AgentWork, at agent: AgentHost) -> Duration { .zero }

    func file(of upload: UploadID, at agent: AgentHost) -> VirtualFile? { nil }

    func connect(_ id: ConnectionID, from agent: AgentHost) -> Wire? { nil }

    func commit(_ writes: [JournalWrite], of agent: AgentHost) -> UploadFailure? { nil }

    func arrival(of byteCount: Int, on wire: Wire, _ direction: Wire.Direction) -> Arrival {
        Arrival(pieces: [byteCount])
    }

    func latency(of wire: Wire, _ direction: Wire.Direction) -> Duration { .zero }
}
