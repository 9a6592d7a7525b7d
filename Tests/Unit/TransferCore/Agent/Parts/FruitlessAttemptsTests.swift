import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Which attempts count as fruitless: those whose data is lost.
@Suite struct FruitlessAttemptsTests {
    private static let parts = (1...9).compactMap { PartNumber($0) }

    private static func decision(_ offset: ByteOffset) -> Frame {
        .partDecision(
            PartDecision(part: parts[0], decision: .send(offset: offset, limit: offset + 100)))
    }

    private static func answer(_ offsets: [ByteOffset] = [], candidates: UInt32 = 0) -> Frame {
        let partials = offsets.enumerated().map { index, offset in
            PartialPart(
                part: parts[index], digest: ToyDigest.sha256([1]), offset: offset,
                limit: 1_000)
        }
        return .resumeState(
            ResumeState(
                phase: .ongoing, partBytes: 1_000, candidateParts: candidates, partials: partials, wanted: [],
                token: [1]))
    }

    private static let events: [@Sendable (inout FruitlessAttempts) -> Void] = [
        { $0.dataSent() }, { $0.partStored() }, { $0.storeRefused() }, { $0.connectionsLost() },
        { $0.received(decision(0), namesPartials: false) }, { $0.received(decision(50), namesPartials: false) },
    ]

    /// The transition table in the comment at the top of `FruitlessAttempts.swift` contains exactly the transitions
    /// that the machine makes.
    @Test func theTableIsTrue() throws {
        let path = "Sources/TransferCore/Agent/Parts/FruitlessAttempts.swift"
        var changes: Set<TransitionTable.Row> = []
        var seen: Set<FruitlessAttempts> = [FruitlessAttempts()]
        var open = Array(seen)
        while let attempts = open.popLast() {
            for event in Self.events {
                var next = attempts
                event(&next)
                guard next.count < 4 else { continue }
                let row = TransitionTable.Row(from: "\(attempts.state)", to: "\(next.state)")
                if row.from != row.to { changes.insert(row) }
                if seen.insert(next).inserted { open.append(next) }
            }
        }
        var rows = Set(try TransitionTable.rows(of: path))
        let states = Set(try SourceText.cases(of: "State", in: path))
        for row in rows where row.from == "any" {
            rows.remove(row)
            rows.formUnion(states.subtracting([row.to]).map { TransitionTable.Row(from: $0, to: row.to) })
        }
        #expect(rows == changes)
        #expect(Set(seen.map { "\($0.state)" }) == states)
    }

    @Test func attemptsCountUntilAPartIsStored() {
        var attempts = FruitlessAttempts()
        for count in 1...3 {
            attempts.dataSent()
            attempts.dataSent()
            #expect(attempts.count == count && attempts.takeUnsaved() == count && attempts.takeUnsaved() == nil)
            attempts.connectionsLost()
            #expect(!attempts.areHopeless, "no gateway has said yet that the data is lost")
            attempts.received(Self.decision(0), namesPartials: false)
            #expect(attempts.areHopeless == (count >= 2))
        }
        attempts.dataSent()
        attempts.partStored()
        #expect(attempts.count == 0 && attempts.takeUnsaved() == 0 && !attempts.needSmallParts)
        attempts.dataSent()
        attempts.connectionsLost()
        #expect(attempts.count == 0, "a part was stored in this attempt")
    }

    /// A connection that ends before any data was sent is no attempt.
    @Test func connectionWithoutDataCountsNothing() {
        var attempts = FruitlessAttempts(count: 1)
        attempts.connectionsLost()
        attempts.received(Self.decision(0), namesPartials: false)
        attempts.connectionsLost()
        #expect(attempts.count == 1 && attempts.takeUnsaved() == nil)
    }

    /// A part that continues where the last attempt ended loses nothing. If it continues where the last attempt began,
    /// that attempt was fruitless.
    @Test func keptBytesTakeTheAttemptBack() {
        var attempts = FruitlessAttempts()
        for (offset, count) in [(500, 0), (500, 1), (400, 2), (600, 2)] as [(ByteOffset, Int)] {
            attempts.dataSent()
            attempts.connectionsLost()
            attempts.received(Self.decision(offset), namesPartials: false)
            #expect(attempts.count == count, "continues at \(offset)")
        }
    }

    @Test func answerToAQueryShowsWhatWasKept() {
        var attempts = FruitlessAttempts(count: 2)
        attempts.received(Self.answer(), namesPartials: false)
        #expect(attempts.state == .cut, "the answer names no partials, because the query asked for none")
        attempts.received(Self.answer(), namesPartials: true)
        #expect(attempts.areHopeless)

        attempts = FruitlessAttempts(count: 2)
        attempts.received(Self.answer([0, 700]), namesPartials: true)
        #expect(attempts.count == 1 && attempts.takeUnsaved() == 1)

        attempts = FruitlessAttempts(count: 2)
        attempts.received(Self.answer(candidates: 1), namesPartials: true)
        #expect(attempts.count == 1, "the store has a part")
    }

    /// The store's refusal shows nothing about the link.
    @Test func refusalOfTheStoreDoesNotCount() {
        var attempts = FruitlessAttempts()
        attempts.dataSent()
        attempts.storeRefused()
        attempts.connectionsLost()
        #expect(attempts.count == 0 && attempts.state == .idle)
    }

    // MARK: In an upload

    /// An agent that resumes a session of an earlier run, up to the answer to RESUME QUERY.
    ///
    /// - Parameters:
    ///   - stored: the parts that are stored, of three.
    ///   - attempts: the fruitless attempts that the journal has.
    private func resuming(stored: Int, attempts: Int) -> (driver: AgentDriver, actions: [AgentAction]) {
        var request = UploadRequest(
            id: AgentDriver.upload, purpose: .push, key: "file", stamp: AgentDriver.stamp, policy: .verify,
            partBytesWish: nil, saved: AgentDriver.saved(stored: stored), wasStoredBefore: false)
        request.fruitlessAttempts = attempts
        var driver = AgentDriver()
        driver.handle(.submitted(request))
        driver.welcome()
        let actions = driver.frame(AgentDriver.resumeState())
        return (driver, actions)
    }

    private func counts(_ actions: [AgentAction]) -> [Int] {
        actions.compactMap { if case .journal(_, .fruitless(_, let count)) = $0 { count } else { nil } }
    }

    private func offers(_ actions: [AgentAction]) -> Int {
        frames(actions).count { if case .partOffer = $0 { true } else { false } }
    }

    @Test(arguments: [0, 1])
    func theNextRunSendsOnePartAtATime(attempts: Int) {
        var (driver, actions) = resuming(stored: 0, attempts: attempts)
        while !driver.reads.isEmpty { actions += driver.read() }
        #expect(offers(actions) == (attempts == 0 ? 3 : 1))
    }

    @Test func twoAttemptsLeadToTheSmallestParts() throws {
        var (driver, actions) = resuming(stored: 0, attempts: 2)
        #expect(frames(actions).contains { if case .abort = $0 { true } else { false } })
        #expect(actions.contains { if case .journal(_, .lost(_, losses: 0)) = $0 { true } else { false } })
        driver.frame(.aborted(Aborted()))
        let open = frames(driver.commit()).compactMap { if case .sessionOpen(let open) = $0 { open } else { nil } }
        #expect(try open.first?.terms.partBytes == 16)
    }

    /// Parts that are stored are never given up.
    @Test func aStoredPartKeepsTheSession() {
        var (driver, actions) = resuming(stored: 1, attempts: 5)
        while !driver.reads.isEmpty { actions += driver.read() }
        #expect(!frames(actions).contains { if case .abort = $0 { true } else { false } })
        #expect(offers(actions) == 1)
    }

    /// The count is in the journal before the connection is cut: an agent that loses its power with its link writes
    /// nothing later.
    @Test func theJournalHasTheAttemptUnderWay() {
        var (driver, _) = resuming(stored: 0, attempts: 0)
        driver.read()
        driver.frame(Self.decision(0))
        #expect(counts(driver.chunkSent()) == [1])
        #expect(counts(driver.frame(.stored(Stored(part: Self.parts[0], etag: "e")))) == [0])
    }
}
