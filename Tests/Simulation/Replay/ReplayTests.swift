import Testing
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Sluice's own machines must follow the conversations in `Protocol/vectors` (specification §14.1).
@Suite struct ReplayTests {
    @Test(arguments: try Replayed.byGateway())
    func gatewayFollowsTheConversation(replayed: Replayed) throws {
        try replayed.expectAgreement(NotYet.gateway)
    }

    @Test(arguments: try Replayed.byAgent())
    func agentFollowsTheConversation(replayed: Replayed) throws {
        try replayed.expectAgreement(NotYet.agent)
    }

    @Test func everyConversationIsReplayed() throws {
        let names = Set(try (Replayed.byGateway() + Replayed.byAgent()).map(\.conversation.name))
        #expect(names == Set(try Conversation.all().map(\.name)))
        #expect(names.isSuperset(of: NotYet.gateway.keys))
        #expect(names.isSuperset(of: NotYet.agent.keys))
    }

    @Test func receiptsOfTheLinesAreSigned() throws {
        let cryptography = try ReplaySite.cryptography()
        var verifiedCount = 0
        for conversation in try Conversation.all() {
            var receipts = ReceiptLedger()
            for case .frame(let line) in conversation.lines {
                guard case .frame(let slot, let frame) = try line.content() else { continue }
                let session = frame.token.flatMap(cryptography.session)?.session
                #expect(try receipts.note(frame, slot: slot, on: line.connection, session: session) == nil)
            }
            verifiedCount += receipts.verifiedCount
        }
        #expect(verifiedCount == 5)
    }

    /// The test removes no line that stands between two lines of the agent: the agent's lines would then form one
    /// flight, which a gateway may answer differently.
    @Test(arguments: try Replayed.byGateway().filter { NotYet.gateway[$0.conversation.name] == nil })
    func gatewayReplayMissesNoLine(replayed: Replayed) throws {
        for (index, line) in replayed.conversation.lines.enumerated() {
            guard case .frame(let frame) = line, frame.sender == .gateway, frame.type != .received,
                !replayed.isBetweenLinesOfAgent(index)
            else { continue }
            var lines = replayed.conversation.lines
            lines.remove(at: index)
            #expect(throws: (any Error).self, "without line \(index + 1)") { try replayed.replay(lines) }
        }
    }

    @Test(arguments: try Replayed.byGateway().filter { NotYet.gateway[$0.conversation.name] == nil })
    func gatewayReplayFindsAWrongByte(replayed: Replayed) throws {
        try replayed.expectWrongBytesAreFound(of: .gateway) { $0 != .received && $0 != .welcome }
    }

    @Test(arguments: try Replayed.byGateway().filter { NotYet.gateway[$0.conversation.name] == nil })
    func gatewayReplayMissesNoFrame(replayed: Replayed) throws {
        for (index, line) in replayed.conversation.lines.enumerated() {
            guard case .frame(let frame) = line, frame.sender == .gateway, frame.type != .received else { continue }
            var lines = replayed.conversation.lines
            lines.insert(line, at: index)
            #expect(throws: (any Error).self, "line \(index + 1) twice") { try replayed.replay(lines) }
        }
    }

    /// The lines that open a session are left out: the replay derives the user's pushes and the journal's tokens from
    /// them, so it cannot compare them.
    @Test(arguments: try Replayed.byAgent().filter { NotYet.agent[$0.conversation.name] == nil })
    func agentReplayFindsAWrongByte(replayed: Replayed) throws {
        try replayed.expectWrongBytesAreFound(of: .agent) {
            [.partOffer, .partData, .partList, .complete, .abort, .pong].contains($0)
        }
    }
}

/// A conversation, and the role that must follow it.
struct Replayed: CustomTestStringConvertible {
    let conversation: Conversation
    let role: Role

    var testDescription: String { conversation.name }

    static func byGateway() throws -> [Replayed] {
        try Conversation.all().filter { $0.side != .agent }.map { Replayed(conversation: $0, role: .gateway) }
    }

    static func byAgent() throws -> [Replayed] {
        try Conversation.all().filter { $0.side != .gateway && NotYet.outsideTheAgent[$0.name] == nil }
            .map { Replayed(conversation: $0, role: .agent) }
    }

    /// Replays the conversation, or `lines` in its place.
    ///
    /// - Returns: how many frames of the machine were compared with a line.
    @discardableResult
    func replay(_ lines: [Conversation.Line]? = nil) throws -> Int {
        let conversation = lines.map(conversation.with) ?? conversation
        return try ToyDigest.$replacement.withValue(RealDigests()) {
            switch role {
            case .gateway:
                let replay = try GatewayReplay(conversation)
                try replay.run()
                return replay.comparedCount
            case .agent:
                let replay = try AgentReplay(conversation)
                try replay.run()
                return replay.comparedCount
            }
        }
    }

    /// Whether the agent sends both the line before this one and the line after it.
    func isBetweenLinesOfAgent(_ index: Int) -> Bool {
        [index - 1, index + 1].allSatisfy { index in
            guard conversation.lines.indices.contains(index), case .frame(let line) = conversation.lines[index] else {
                return false
            }
            return line.sender == .agent
        }
    }

    /// - Parameter notYet: conversations that the machine does not follow yet. The check fails if the machine follows
    ///   one of them.
    func expectAgreement(_ notYet: [String: String]) throws {
        guard let reason = notYet[conversation.name] else {
            #expect(try replay() > 0)
            return
        }
        withKnownIssue("\(reason)") { try replay() }
    }

    /// Whether the line offers a part with a digest that the gateway will reject. The replay cannot find a change in
    /// such a digest, because it makes the agent's read return whatever digest the line has.
    private func isWrongOffer(_ index: Int) throws -> Bool {
        guard case .frame(let line) = conversation.lines[index], case .frame(_, .partOffer) = try line.content() else {
            return false
        }
        let later = conversation.lines.dropFirst(index + 1).prefix { line in
            if case .frame(let line) = line { line.type != .partOffer } else { true }
        }
        return try later.contains { line in
            guard case .frame(let line) = line, case .frame(_, .error(let report)) = try line.content() else {
                return false
            }
            return report.code == .digestMismatch
        }
    }

    /// Replays the conversation with one bit changed in each line, in the last byte that is compared.
    func expectWrongBytesAreFound(of sender: Role, where isCompared: (FrameType) -> Bool) throws {
        for (index, line) in conversation.lines.enumerated() {
            guard case .frame(let frame) = line, frame.sender == sender, isCompared(frame.type) else { continue }
            guard let wrong = try frame.withWrongByte(), try !isWrongOffer(index) else { continue }
            var lines = conversation.lines
            lines[index] = .frame(wrong)
            #expect(throws: (any Error).self, "\(wrong.type) in line \(index + 1)") { try replay(lines) }
        }
    }
}

extension Conversation.FrameLine {
    /// The line with one bit changed in the last byte of its body that the replay compares; `nil` if it compares no
    /// byte.
    fileprivate func withWrongByte() throws -> Conversation.FrameLine? {
        let right = try content()
        for index in bytes.indices.dropFirst(WireLimits.headerBytes).reversed() {
            var changed = bytes
            changed[index] ^= 1
            let line = with(bytes: changed)
            // `try?`: a change after which the line does not decode is a matter of the decoder's tests.
            guard let wrong = try? line.content() else { continue }
            if right.differs(from: wrong) { return line }
        }
        return nil
    }
}

extension LineContent {
    fileprivate func differs(from other: LineContent) -> Bool {
        switch (self, other) {
        case (.frame(_, .partDecision(let one)), .frame(_, .partDecision(let another))):
            one.comparable(size: .max, isAhead: true) != another.comparable(size: .max, isAhead: true)
        case (.frame(_, .partList(let one)), .frame(_, .partList(let another))): one.comparable != another.comparable
        case (.frame(_, let one), .frame(_, let another)): one.comparable != another.comparable
        case (.data(_, _, let one), .data(_, _, let another)): one != another
        default: true
        }
    }
}
