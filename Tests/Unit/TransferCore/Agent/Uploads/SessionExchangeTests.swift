import SeededRandom
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// What an upload does because of an answer to a request about its session.
@Suite struct SessionExchangeTests {
    private static let now = Instant(nanoseconds: 1_000_000_000)
    private static let place = Attachment(connection: ConnectionID(1), slot: Slot(1))
    private static let other = SessionID(high: 5, low: 5)

    private var clock = AgentClock(
        policy: RetryPolicy(), generator: SeededGenerator(seed: 1), now: now)

    /// - Parameters:
    ///   - parts: 1 for a file of one part; otherwise the file has three parts.
    ///   - losses: how many sessions of the file were lost in earlier runs.
    private static func exchange(
        policy: ExistingKeyPolicy = .verify, parts: Int = 3, losses: Int = 0,
        change: (inout UploadRequest) -> Void = { _ in }
    ) -> SessionExchange {
        let size: UInt64 = parts == 1 ? 900 : 2_500
        var saved = AgentDriver.saved(
            size: size, stored: parts == 1 ? 0 : 2, token: parts == 1 ? [] : [1, 2, 3])
        saved.losses = losses
        saved.policy = policy
        saved.condition = policy.condition
        var request = UploadRequest(
            id: AgentDriver.upload, purpose: .push, key: "file", stamp: AgentDriver.stamp(size: size),
            policy: policy,
            partBytesWish: nil, saved: saved, wasStoredBefore: false)
        change(&request)
        return SessionExchange(request, lossesMax: 2)
    }

    /// An exchange that waits for the answer to RESUME QUERY; if the file has one part, for the answer to SESSION OPEN.
    private static func asking(policy: ExistingKeyPolicy = .verify, parts: Int = 3, losses: Int = 0)
        -> SessionExchange
    {
        var exchange = exchange(policy: policy, parts: parts, losses: losses)
        _ = exchange.begin(now: now)
        _ = exchange.ask(
            parts == 1 ? .open : .resume, in: place, AgentStoredParts(), knowsPartials: false)
        return exchange
    }

    private static func state(_ phase: ResumePhase, wanted: [PartNumber] = []) -> ResumeState {
        ResumeState(
            phase: phase, partBytes: 1_000, candidateParts: 0, partials: [], wanted: wanted,
            token: phase == .ongoing ? [4, 5] : [])
    }

    private mutating func transferring(policy: ExistingKeyPolicy = .verify, losses: Int = 0)
        -> SessionExchange
    {
        var exchange = Self.asking(policy: policy, losses: losses)
        _ = exchange.received(Self.state(.ongoing), in: Self.place, stage: .resuming, &clock)
        #expect(exchange.phase == .transferring)
        return exchange
    }

    /// The names of the effects, in order. The effect `perform` is named by its action.
    private static func names(_ effects: [UploadEffect]) -> [String] {
        effects.map { effect in
            var text = "\(effect)"[...]
            if case .perform(let action) = effect { text = "\(action)"[...] }
            if case .parts(let change) = effect { text = "\(change)"[...] }
            return String(text.prefix { $0.isLetter })
        }
    }

    // MARK: Beginning and asking

    @Test func aSavedSessionIsResumedWithItsParts() {
        var exchange = Self.exchange()
        #expect(Self.names(exchange.begin(now: Self.now)) == ["restored", "accepted", "ask"])
        var stored = AgentStoredParts()
        for entry in GatewayDriver.entries(of: 2_500).prefix(2) { stored.keep(entry) }
        let effects = exchange.ask(.resume, in: Self.place, stored, knowsPartials: false)
        #expect(exchange.phase == .resuming)
        guard case .perform(.send(_, _, .resumeQuery(let query))) = effects.first else {
            Issue.record("no RESUME QUERY")
            return
        }
        #expect(query.listedParts == 2 && query.asksForPartials && query.token == [1, 2, 3])
        #expect(Self.names(effects) == ["send", "send"])
    }

    @Test func anotherVersionOfTheFileIsTaken() {
        var exchange = Self.exchange { $0.stamp = AgentDriver.stamp(size: 9) }
        #expect(Self.names(exchange.begin(now: Self.now)) == ["restored", "takeNewVersion"])
        var resume = Self.exchange {
            $0.stamp = AgentDriver.stamp(size: 9)
            $0.purpose = .resume
        }
        #expect(Self.names(resume.begin(now: Self.now)) == ["restored", "takeNewVersion"])
    }

    // MARK: Answers

    @Test mutating func aResumedSessionIsTransferred() {
        var exchange = Self.asking()
        let wanted = PartNumber(2).map { [$0] } ?? []
        let first = exchange.received(
            Self.state(.ongoing, wanted: wanted), in: Self.place, stage: .resuming, &clock)
        #expect(
            Self.names(first)
                == ["journal", "sendAgain", "queryAnswered", "named", "reportOpened", "offer", "recheck"])
        #expect(exchange.phase == .transferring)
        let joined = exchange.received(Self.state(.ongoing), in: Self.place, stage: .resuming, &clock)
        #expect(Self.names(joined) == ["journal", "queryAnswered", "named", "offer", "recheck"])
        #expect(exchange.received(Self.state(.ongoing), in: Self.place, stage: .open, &clock).isEmpty)
    }

    @Test mutating func aSessionThatIsBeingCompletedIsAwaited() {
        var exchange = Self.asking()
        let effects = exchange.received(
            Self.state(.completing), in: Self.place, stage: .resuming, &clock)
        #expect(effects.isEmpty && exchange.phase == .completing)
    }

    @Test mutating func onlyTheSecondLossOfASessionEndsTheUpload() {
        var exchange = Self.asking()
        let first = exchange.received(Self.state(.lost), in: Self.place, stage: .resuming, &clock)
        #expect(
            Self.names(first) == [
                "leave", "forgetParts", "report", "journal", "forgetParts", "startedOver", "ask",
            ])
        exchange = Self.asking(losses: 1)
        let second = exchange.received(Self.state(.lost), in: Self.place, stage: .resuming, &clock)
        #expect(Self.names(second) == ["leave", "forgetParts", "end"])
    }

    @Test func aSessionIsOpenedAgainByItsID() {
        var exchange = Self.asking(parts: 1)
        #expect(exchange.phase == .opening)
        let opened = SessionOpened(
            session: AgentDriver.saved().session, partBytes: 1_000, token: [4], adoption: nil)
        #expect(
            Self.names(exchange.received(opened, in: Self.place)) == [
                "progress", "reportOpened", "offer", "recheck",
            ])
        #expect(exchange.phase == .transferring)
        #expect(exchange.received(opened, in: Self.place).isEmpty)
    }

    @Test func anotherSessionIsRefusedUnlessItIsAdopted() {
        var exchange = Self.asking(parts: 1)
        let opened = SessionOpened(session: Self.other, partBytes: 1_000, token: [4], adoption: nil)
        #expect(Self.names(exchange.received(opened, in: Self.place)) == ["progress", "end"])
    }

    /// The codes of session scope, each with its effects if it arrives while a session of several parts is resumed.
    static let refusals: [(code: ErrorCode, effects: [String])] = [
        (.busy, ["askAgain", "reportWait"]),
        (.storeUnavailable, ["askAgain", "reportWait"]),
        (
            .sessionLost,
            ["leave", "forgetParts", "report", "journal", "forgetParts", "startedOver", "ask"]
        ),
        // The gateway found a fault in the session: its upload is aborted before a new session begins.
        (.rootMismatch, ["leave", "forgetParts", "report", "journal", "ask"]),
        (.storeRefuses, ["end"]),
    ]

    @Test(arguments: refusals)
    mutating func aRefusalLeadsToItsReaction(code: ErrorCode, effects: [String]) {
        var exchange = Self.asking()
        let result = exchange.refused(GatewayRefusal(code), stage: .resuming, listsParts: true, &clock)
        #expect(Self.names(result) == effects)
    }

    @Test mutating func aRefusedQueryThatJoinsEndsOnlyItsSlot() {
        var exchange = transferring()
        let result = exchange.refused(GatewayRefusal(.busy), stage: .resuming, listsParts: true, &clock)
        #expect(result.isEmpty && exchange.phase == .transferring)
    }

    @Test mutating func partsThatTheStoreLacksAreSentAgain() {
        var exchange = Self.asking()
        _ = exchange.received(Self.state(.completing), in: Self.place, stage: .resuming, &clock)
        let wanted = PartsWanted(parts: PartNumber(1).map { [$0] } ?? [])
        for _ in 0..<3 {
            #expect(Self.names(exchange.received(wanted, in: Self.place)) == ["sendAgain", "recheck"])
            #expect(Self.names(exchange.received(wanted, in: Self.place)) == ["offer"])
            var stored = AgentStoredParts()
            for entry in GatewayDriver.entries(of: 2_500) { stored.keep(entry) }
            #expect(
                Self.names(exchange.complete(stored, root: ToyDigest.sha256([1]))) == ["send", "send"])
        }
        #expect(
            Self.names(exchange.received(wanted, in: Self.place)).prefix(3) == [
                "leave", "forgetParts", "report",
            ])
    }

    // MARK: The object under the key

    private static func exists(size: UInt64 = 2_500, evidence: ContentEvidence) -> SessionExists {
        SessionExists(
            size: size, partBytes: 1_000, evidence: evidence, etag: "", version: "", session: nil)
    }

    @Test mutating func theFileIsComparedWithTheObject() {
        let (own, foreign) = (
            ContentEvidence.root(ToyDigest.sha256([1])), ContentEvidence.root(ToyDigest.sha256([2]))
        )
        let readings: [(ExistingKeyPolicy, EvidenceReading, [String])] = [
            (.verify, .computed(own, stamp: AgentDriver.stamp), ["found"]),
            (.verify, .computed(foreign, stamp: AgentDriver.stamp), ["end"]),
            (
                .replace, .computed(foreign, stamp: AgentDriver.stamp),
                ["forgetParts", "startedOver", "ask", "wait"]
            ),
            (.verify, .computed(own, stamp: AgentDriver.stamp(size: 9)), ["end"]),
            (.verify, .failed(UploadFailure(.unreadable)), ["end"]),
        ]
        for (policy, reading, effects) in readings {
            var exchange = Self.asking(policy: policy)
            let shown = exchange.received(Self.exists(evidence: own), stage: .resuming, site: nil, &clock)
            #expect(
                Self.names(shown)
                    == ["progress", "forgetParts", "leave", "startedOver", "report", "computeEvidence"])
            #expect(Self.names(exchange.evidenceComputed(reading, &clock)) == effects)
        }
    }

    @Test mutating func anObjectThatCannotBeComparedIsOfOtherContent() {
        for (policy, last) in [(ExistingKeyPolicy.verify, "end"), (.replace, "wait")] {
            var exchange = Self.asking(policy: policy)
            let effects = exchange.received(
                Self.exists(size: 9_000, evidence: .none), stage: .resuming, site: nil, &clock)
            #expect(Self.names(effects).last == last)
        }
        var exchange = Self.exchange(policy: .fail)
        _ = exchange.ask(.open, in: Self.place, AgentStoredParts(), knowsPartials: true)
        let effects = exchange.received(
            Self.exists(evidence: .none), stage: .opening, site: nil, &clock)
        #expect(Self.names(effects) == ["progress", "end"])
    }

    @Test mutating func anObjectOfAnotherSizeIsNotTheFile() {
        let sizes: [(UInt64, [String])] = [(2_500, ["progress", "stored"]), (9, ["progress", "end"])]
        for (size, names) in sizes {
            var exchange = transferring()
            let root = ToyDigest.sha256([1])
            let completed = Completed(
                size: size, evidence: .root(root), partBytes: 1_000, etag: "", version: "", location: "file"
            )
            let effects = exchange.received(
                completed, at: Self.place, stage: .completing, site: nil, FileDigests(root: root), &clock)
            #expect(Self.names(effects) == names)
        }
    }

    // MARK: Connections and the journal

    @Test mutating func theLossOfTheOnlyConnectionLeadsToANewRequest() {
        var exchange = transferring()
        #expect(exchange.connectionLost(ConnectionID(2), now: Self.now).isEmpty)
        #expect(exchange.connectionLost(ConnectionID(1), now: Self.now) == [.askAgain(at: Self.now)])
    }

    @Test func anythingDurableIsIgnoredWhileNothingWaitsForIt() {
        var exchange = Self.asking()
        #expect(exchange.committed(through: JournalSequence(9), now: Self.now).isEmpty)
    }
}
