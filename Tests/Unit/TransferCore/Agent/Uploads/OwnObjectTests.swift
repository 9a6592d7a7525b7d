import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// What the agent does if the key already holds an object, and how it recognises an object of its own.
@Suite struct OwnObjectTests {
    static let earlier = SessionID(high: 9, low: 9)

    @Test func failIsDecidedWithoutReadingTheFile() {
        var driver = Self.opening(policy: .fail)
        let actions = driver.frame(.sessionExists(Self.exists(size: 2_500)))
        #expect(Self.question(actions) == nil)
        driver.commit()
        #expect(Self.failure(driver)?.kind == .keyTaken)
    }

    @Test func anObjectThatAppearsLaterIsComparedToo() {
        var driver = Self.opening(policy: .verify)
        driver.frame(AgentDriver.opened(driver.session))
        let evidence = ContentEvidence.root(ToyDigest.sha256([1]))
        #expect(Self.question(driver.frame(.sessionExists(Self.exists(size: 2_500, evidence: evidence)))) == 2_500)
        driver.change {
            $0.evidenceComputed(.computed(evidence, stamp: AgentDriver.stamp), of: AgentDriver.upload, now: $1)
        }
        driver.commit()
        guard case .stored(let receipt, wasThere: true)? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
        #expect(receipt.session == nil, "one that another device wrote does not become this agent's own")
    }

    /// The answer to COMPLETE was lost, and the session was opened again: this upload has stored the object itself.
    @Test func anObjectOfThisUploadIsStoredAndWasNotThere() {
        var driver = Self.opening(policy: .verify)
        let session = driver.session
        driver.frame(AgentDriver.opened(session))
        let evidence = ContentEvidence.root(ToyDigest.sha256([1]))
        driver.frame(.sessionExists(Self.exists(size: 2_500, evidence: evidence, session: session)))
        driver.change {
            $0.evidenceComputed(.computed(evidence, stamp: AgentDriver.stamp), of: AgentDriver.upload, now: $1)
        }
        driver.commit()
        guard case .stored(let receipt, wasThere: false)? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
        #expect(receipt.session == session)
    }

    struct Growth: CustomStringConvertible {
        var name: String
        var change: @Sendable (inout StoredProof) -> Void = { _ in }
        var policy = ExistingKeyPolicy.verify
        var objectSession: SessionID? = earlier
        var isAsked: Bool

        var description: String { name }
    }

    static let growths = [
        Growth(name: "its own object", isAsked: true),
        Growth(name: "another file of the same name", change: { $0.stamp.inode = 77 }, isAsked: false),
        Growth(name: "an object of another size", change: { $0.size = 1_001 }, isAsked: false),
        Growth(name: "another session's object", change: { $0.session = SessionID(high: 8, low: 8) }, isAsked: false),
        Growth(name: "an object of an unknown session", objectSession: nil, isAsked: false),
        Growth(name: "the user wants a failure", policy: .fail, isAsked: false),
    ]

    @Test(arguments: growths)
    func onlyTheFilesOwnObjectIsCompared(_ growth: Growth) {
        var proof = Self.proof
        growth.change(&proof)
        var driver = Self.opening(policy: growth.policy, proof: proof)
        let actions = driver.frame(.sessionExists(Self.exists(size: 1_000, session: growth.objectSession)))
        #expect(Self.question(actions) == (growth.isAsked ? 1_000 : nil))
        driver.commit()
        #expect((Self.failure(driver)?.kind == .keyTaken) == !growth.isAsked)
    }

    @Test func grownFileReplacesExactlyItsOwnObject() throws {
        var driver = Self.opening(policy: .verify, proof: Self.proof)
        let first = driver.session
        driver.frame(.sessionExists(Self.exists(size: 1_000)))
        Self.compute(&driver, .root(Self.root))
        let open = try #require(Self.sessionOpen(driver.commit()))
        #expect(try open.terms.condition == .matches(Self.earlier))
        #expect(!open.compares)
        #expect(open.session != first)
    }

    /// The comparison showed that the object equals the beginning of the file, so the agent is allowed to replace it.
    /// Then the file changes. The comparison no longer holds, so the agent replaces nothing.
    @Test func fileTouchedAfterComparisonReplacesNothing() {
        var driver = Self.opening(policy: .verify, proof: Self.proof)
        driver.frame(.sessionExists(Self.exists(size: 1_000)))
        Self.compute(&driver, .root(Self.root))
        driver.commit()
        driver.frame(AgentDriver.opened(driver.session))
        driver.commit()
        driver.read(stamp: Self.touched)
        driver.commit()
        #expect(Self.failure(driver)?.kind == .changed)
    }

    /// An earlier run was allowed to replace the object. Then the file changed, so a later run must not continue the
    /// replacement.
    @Test func touchedFileDoesNotResumeAReplacement() {
        let saved = SavedSession(
            session: Self.earlier, token: [4], partBytes: 1_000, condition: .matches(Self.earlier), policy: .verify,
            stamp: AgentDriver.stamp, parts: [], losses: 0)
        var driver = AgentDriver()
        driver.submit(size: 2_500, saved: saved, purpose: .resume, stamp: Self.touched)
        driver.welcome()
        driver.commit()
        #expect(Self.failure(driver)?.kind == .wrongFile)
    }

    @Test func changedFileDoesNotReplaceItsObject() {
        var driver = Self.opening(policy: .verify, proof: Self.proof)
        driver.frame(.sessionExists(Self.exists(size: 1_000)))
        Self.compute(&driver, .root(ToyDigest.sha256([2])))
        driver.commit()
        #expect(Self.failure(driver)?.kind == .keyTaken)
    }

    @Test func replaceNamesTheShownObject() throws {
        for session in [Self.earlier, nil] {
            var driver = Self.opening(policy: .replace)
            driver.frame(.sessionExists(Self.exists(size: 2_500, evidence: .root(Self.root), session: session)))
            Self.compute(&driver, .root(ToyDigest.sha256([2])))
            let open = try #require(Self.sessionOpen(driver.commit()))
            #expect(try open.terms.condition == session.map { .matches($0) } ?? .any)
        }
    }

    // MARK: Between runs

    struct Again: CustomStringConvertible {
        var policy: ExistingKeyPolicy
        var saved: WriteCondition
        var savedPolicy: ExistingKeyPolicy
        var isResumed: Bool

        var description: String { "\(policy) after \(savedPolicy) with \(saved)" }
    }

    static let agains = [
        Again(policy: .verify, saved: .absent, savedPolicy: .verify, isResumed: true),
        Again(policy: .fail, saved: .absent, savedPolicy: .verify, isResumed: true),
        Again(policy: .replace, saved: .any, savedPolicy: .replace, isResumed: true),
        Again(policy: .replace, saved: .matches(earlier), savedPolicy: .verify, isResumed: true),
        Again(policy: .verify, saved: .matches(earlier), savedPolicy: .verify, isResumed: true),
        Again(policy: .verify, saved: .matches(earlier), savedPolicy: .replace, isResumed: false),
        Again(policy: .verify, saved: .any, savedPolicy: .replace, isResumed: false),
        Again(policy: .fail, saved: .matches(earlier), savedPolicy: .verify, isResumed: false),
        Again(policy: .replace, saved: .absent, savedPolicy: .verify, isResumed: false),
    ]

    /// An earlier run was allowed to replace an object; this run needs the user's permission again.
    @Test(arguments: agains)
    func savedSessionFollowsTheCurrentPolicy(_ again: Again) {
        var driver = AgentDriver()
        var saved = AgentDriver.saved()
        saved.condition = again.saved
        saved.policy = again.savedPolicy
        driver.submit(size: 2_500, policy: again.policy, saved: saved)
        let sent = driver.welcome().compactMap { action -> FrameType? in
            if case .send(_, let slot, let frame) = action, slot != .connection { frame.type } else { nil }
        }
        #expect(sent.first == (again.isResumed ? .resumeQuery : .abort))
    }

    // MARK: Lost sessions

    /// The session is completing on one connection. A second connection joins at another gateway, which does not know
    /// the session. The agent must not treat the session as lost.
    @Test func lostOnAJoiningConnectionEndsNothing() {
        var driver = AgentDriver { $0.connections = 2 }
        driver.submit(size: 2_500)
        let ids = driver.connections
        for id in ids {
            driver.change { $0.connected(id, now: $1) }
            driver.change {
                $0.receivedFrame(.welcome(AgentDriver.welcome(500)), slot: .connection, from: id, now: $1)
            }
        }
        driver.commit()
        driver.frame(AgentDriver.opened(driver.session))
        let joined = driver.slots.last
        #expect(driver.slots.count == 2 && joined?.connection != driver.slots.first?.connection)
        let reports = driver.frame(AgentDriver.resumeState(.lost)).filter { action in
            if case .report(_, .lost) = action { true } else { false }
        }
        #expect(reports.isEmpty)
    }

    // MARK: Helpers

    private static let root = ToyDigest.sha256([1])

    private static var touched: FileStamp {
        var stamp = AgentDriver.stamp
        stamp.change = ModificationTime(seconds: stamp.change.seconds + 1, nanoseconds: 0)
        return stamp
    }

    private static let proof = StoredProof(
        session: earlier, stamp: AgentDriver.stamp(size: 1_000), partBytes: 700, root: root, size: 1_000)

    private static func opening(policy: ExistingKeyPolicy, proof: StoredProof? = nil) -> AgentDriver {
        var driver = AgentDriver()
        driver.submit(size: 2_500, policy: policy, proof: proof)
        driver.welcome()
        driver.commit()
        return driver
    }

    private static func exists(
        size: UInt64, evidence: ContentEvidence = .none, session: SessionID? = earlier
    ) -> SessionExists {
        SessionExists(size: size, partBytes: 1_000, evidence: evidence, etag: "e", version: "", session: session)
    }

    private static func compute(_ driver: inout AgentDriver, _ evidence: ContentEvidence) {
        driver.change {
            $0.evidenceComputed(.computed(evidence, stamp: AgentDriver.stamp), of: AgentDriver.upload, now: $1)
        }
    }

    /// How many bytes of the file the machine asks the shell to read for a comparison; `nil` if it asks for no
    /// comparison.
    private static func question(_ actions: [AgentAction]) -> UInt64? {
        for case .computeEvidence(_, let bytes, _, _) in actions { return bytes }
        return nil
    }

    private static func sessionOpen(_ actions: [AgentAction]) -> SessionOpen? {
        for case .send(_, _, .sessionOpen(let open)) in actions { return open }
        return nil
    }

    private static func failure(_ driver: AgentDriver) -> UploadFailure? {
        if case .failed(let failure)? = driver.outcomes.first { failure } else { nil }
    }
}
