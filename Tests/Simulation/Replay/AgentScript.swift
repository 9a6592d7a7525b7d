import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// What a conversation says about the agent: its processes, and the uploads that the user requested.
struct AgentScript {
    /// One process of an agent, from its start to its end.
    struct Run {
        let id: RunID
        let capabilities: Capabilities
        /// The run's connection numbers, in the order in which the run opens them.
        var connections: [Int]
    }

    /// A file that the user pushed.
    struct Push: Equatable {
        var key: String
        /// Size of the file in bytes; `nil` for a stream.
        var size: UInt64?
        var partBytes: UInt64
        var modification: ModificationTime
        var policy: ExistingKeyPolicy
        /// Whether the user requests the gateway's signed receipt.
        var wantsReceipt = false
        var metadata = SessionMetadata.none
        /// The session in the token with which the conversation begins. The journal holds this session from an earlier
        /// run.
        var saved: SessionToken?
    }

    /// A question that the user asks with PROVE, and the index of its line in the conversation.
    struct Question {
        var line: Int
        var prove: Prove
    }

    private struct Beginning {
        var line: Int
        var connection: Int
        var slot: Slot
        var key: String
        var open: SessionOpen?
        var token: SessionToken?
        var prove: Prove?
        var asksForReceipt = false
    }

    let runs: [Run]
    /// The largest number of connections that the conversation has open at the same time.
    let connectionsMax: Int
    /// Whether the agent begins no use of a slot in the whole conversation.
    var isIdle: Bool { beginnings.isEmpty }
    private let beginnings: [Beginning]
    private let sizes: [String: UInt64]

    init(_ lines: [Conversation.Line], tokens: (([UInt8]) -> SessionToken?)) throws {
        var runs: [Run] = []
        var beginnings: [Beginning] = []
        var sizes: [String: UInt64] = [:]
        var (open, openMax) = (0, 0)
        for (index, line) in lines.enumerated() {
            if case .connect = line { open += 1 }
            if case .close = line { open -= 1 }
            openMax = max(openMax, open)
            guard case .frame(let line) = line, line.sender == .agent,
                case .frame(let slot, let frame) = try line.content()
            else { continue }
            var beginning = Beginning(line: index, connection: line.connection, slot: slot, key: "")
            switch frame {
            case .hello(let hello):
                if let run = runs.firstIndex(where: { $0.id == hello.run }) {
                    runs[run].connections.append(line.connection)
                } else {
                    runs.append(
                        Run(id: hello.run, capabilities: hello.capabilities, connections: [line.connection]))
                }
            case .sessionOpen(let open):
                beginning.open = open
                beginning.asksForReceipt = open.asksForReceipt
                beginning.key = try open.terms.key
                beginnings.append(beginning)
            case .resumeQuery(let query):
                beginning.token = tokens(query.token)
                beginning.asksForReceipt = query.asksForReceipt
                beginning.key = String(beginning.token?.terms.key.dropFirst(ReplaySite.prefix.count) ?? "")
                beginnings.append(beginning)
            case .complete(let complete):
                let use = beginnings.last { $0.connection == line.connection && $0.slot == slot }
                if let use { sizes[use.key] = complete.size }
            case .prove(let prove):
                beginning.prove = prove
                beginning.key = prove.key
                beginnings.append(beginning)
            default: break
            }
        }
        self.runs = runs
        self.beginnings = beginnings
        self.sizes = sizes
        connectionsMax = max(openMax, 1)
    }

    /// The run that opens a connection, as an index in `runs`.
    func run(of connection: Int) -> Int? { runs.firstIndex { $0.connections.contains(connection) } }

    /// The next upload that a run begins at or after this line.
    func push(in run: Int, from line: Int) throws -> Push? {
        let connections = runs[run].connections
        let next = beginnings.first { $0.line >= line && connections.contains($0.connection) }
        guard let next else { return nil }
        let opens = beginnings.filter { $0.key == next.key }.compactMap(\.open)
        guard let open = opens.first, var terms = try? open.terms else { return nil }  // All of these terms are valid.
        if let token = next.token { terms = token.terms }
        let policy: ExistingKeyPolicy =
            switch (terms.condition, open.compares) {
            case (.absent, true): .verify
            case (.absent, false): terms.size == nil ? .verify : .fail
            case (_, _): .replace
            }
        return Push(
            key: next.key, size: terms.size, partBytes: terms.partBytes, modification: terms.modification,
            policy: policy, wantsReceipt: next.asksForReceipt, metadata: terms.metadata, saved: next.token)
    }

    /// The question that a run asks in its next use of a slot at or after this line; `nil` if the next use of a slot is
    /// not PROVE.
    func question(in run: Int, from line: Int) -> Question? {
        let next = beginnings.first { $0.line >= line && runs[run].connections.contains($0.connection) }
        return next.flatMap { next in next.prove.map { Question(line: next.line, prove: $0) } }
    }

    /// Whether a run resumes the upload of a key with a token. The journal of such a run comes from an earlier run.
    func resumes(_ key: String, in run: Int) -> Bool {
        let first = beginnings.first { $0.key == key && runs[run].connections.contains($0.connection) }
        return first?.token != nil
    }

    /// The key of the file whose session uses a slot at this line.
    func key(connection: Int, slot: Slot, line: Int) -> String? {
        beginnings.last { $0.line <= line && $0.connection == connection && $0.slot == slot }?.key
    }

    /// The content of the pushed file.
    func content(of push: Push) -> [UInt8] {
        ReplaySite.content(key: push.key, size: push.size ?? sizes[push.key] ?? 0)
    }
}
