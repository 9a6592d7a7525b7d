import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// A stream is a file whose size is not known when its session opens.
@Suite struct StreamTests {
    private static func driver() -> AgentDriver {
        var driver = AgentDriver()
        driver.submitStream()
        driver.welcome()
        driver.commit()
        driver.frame(AgentDriver.opened(driver.session))
        return driver
    }

    private static func offers(_ actions: [AgentAction]) -> [PartOffer] {
        actions.compactMap { action in
            if case .send(_, _, .partOffer(let offer)) = action { offer } else { nil }
        }
    }

    @Test func opensWithoutASize() throws {
        var driver = AgentDriver()
        driver.submitStream()
        driver.welcome()
        let sizes = try driver.commit().compactMap { action -> UInt64?? in
            if case .send(_, _, .sessionOpen(let open)) = action { .some(try open.terms.size) } else { nil }
        }
        #expect(sizes == [nil])
    }

    /// A stream can only be read in order, so the agent reads each part only after the part before it.
    @Test func readsOnePartAfterAnother() {
        var driver = Self.driver()
        #expect(driver.reads.map(\.value) == [1])
        driver.readStream(bytes: 1_000, isLast: false)
        #expect(driver.reads.map(\.value) == [2])
        driver.readStream(bytes: 10, isLast: true)
        #expect(driver.reads.isEmpty)
    }

    /// The second stream holds the room for parts, and has no slot after a cut. The first stream has the only slot, and
    /// reads a part although there is no room: otherwise both would wait for each other.
    @Test func aStreamWithoutASlotKeepsNoOtherWaiting() throws {
        let second = UploadID(2)
        var driver = AgentDriver { $0.concurrency = 1 }
        driver.submitStream()
        driver.submitStream(id: second, key: "other")
        driver.welcome()
        let opens = driver.commit().compactMap { action -> (slot: Slot, open: SessionOpen)? in
            if case .send(_, let slot, .sessionOpen(let open)) = action { (slot, open) } else { nil }
        }
        let (first, other) = (try #require(opens.first), try #require(opens.last))
        #expect(opens.count == 2)
        let taken = driver.frame(AgentDriver.opened(other.open.session), slot: other.slot)
        #expect(Self.reads(taken) == [second])
        #expect(Self.reads(driver.frame(AgentDriver.opened(first.open.session), slot: first.slot)) == [])
        driver.commit()
        _ = driver.connectionLost()
        driver.tick(after: .seconds(1))
        #expect(Self.reads(driver.welcome(slotsMax: 1)) == [AgentDriver.upload])
    }

    private static func reads(_ actions: [AgentAction]) -> [UploadID] {
        actions.compactMap { if case .readPart(let upload, _, _, _, _, _) = $0 { upload } else { nil } }
    }

    /// The offer of the last part says that it is the last. The agent then completes the session with the size that it
    /// has read.
    @Test(arguments: [(2, 1_000), (2, 10), (1, 400), (1, 0)])
    func completesWithTheActualSize(count: Int, lastBytes: UInt64) throws {
        var driver = Self.driver()
        var offered: [PartOffer] = []
        for number in 1...count {
            let isLast = number == count
            offered += Self.offers(driver.readStream(bytes: isLast ? lastBytes : 1_000, isLast: isLast))
        }
        #expect(offered.map(\.isLast) == (1...count).map { $0 == count })
        for offer in offered {
            driver.frame(.partDecision(PartDecision(part: offer.part, decision: .have(etag: "e\(offer.part.value)"))))
        }
        driver.commit()
        let last = driver.change {
            $0.fileChecked(.success(AgentDriver.stamp(size: 0)), of: AgentDriver.upload, now: $1)
        }
        let completes = last.compactMap { action -> Complete? in
            if case .send(_, _, .complete(let complete)) = action { complete } else { nil }
        }
        let complete = try #require(completes.first)
        let size = UInt64(count - 1) * 1_000 + lastBytes
        #expect(complete.partCount == UInt32(count) && complete.size == size)
        driver.frame(AgentDriver.completed(size: size, evidence: .root(complete.root)))
        driver.commit()
        guard case .stored(let receipt, wasThere: false)? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
        #expect(receipt.size == size && receipt.root == complete.root)
    }

    /// The agent cannot read a stream a second time. If the store loses the upload, the agent cannot begin anew, so the
    /// upload fails.
    @Test func failsIfTheStoreLosesIt() {
        var driver = Self.driver()
        driver.readStream(bytes: 1_000, isLast: false)
        driver.frame(
            .error(ErrorReport(scope: .session, code: .sessionLost, retryAfterMilliseconds: 0, message: "")))
        driver.commit()
        guard case .failed(let failure)? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
        #expect(failure.kind == .sessionLost)
    }

    @Test func failsIfTheKeyIsTaken() {
        var driver = AgentDriver()
        driver.submitStream()
        driver.welcome()
        driver.commit()
        driver.frame(
            .sessionExists(SessionExists(size: 5, partBytes: 0, evidence: .none, etag: "e", version: "", session: nil)))
        driver.commit()
        guard case .failed(let failure)? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
        #expect(failure.kind == .keyTaken)
    }

    /// The producer fails, or the agent would have to read a part again. The agent aborts the session and completes no
    /// object.
    @Test(arguments: [0, 1, 3], [UploadFailure.Kind.incomplete, .sessionLost])
    func incompleteStreamIsDropped(partsBefore: Int, kind: UploadFailure.Kind) throws {
        var driver = Self.driver()
        for _ in 0..<partsBefore { driver.readStream(bytes: 1_000, isLast: false) }
        let failure = UploadFailure(kind, "it cannot be had again")
        let part = try #require(PartNumber(UInt32(partsBefore + 1)))
        let actions = driver.change {
            $0.partRead(part, of: AgentDriver.upload, .failed(failure), now: $1)
        }
        let sent = frames(actions)
        #expect(sent.contains { if case .abort = $0 { true } else { false } }, "\(sent)")
        #expect(!sent.contains { if case .complete = $0 { true } else { false } })
        driver.frame(.aborted(Aborted()))
        driver.commit()
        #expect(driver.outcomes == [.failed(failure)])
    }

    @Test func endsAtTheStoresPartLimit() {
        var driver = AgentDriver()
        driver.submitStream()
        driver.welcome(partsMax: 2)
        driver.commit()
        driver.frame(AgentDriver.opened(driver.session))
        driver.readStream(bytes: 1_000, isLast: false)
        let sent = frames(driver.readStream(bytes: 1_000, isLast: false))
        #expect(sent.contains { if case .abort = $0 { true } else { false } }, "what was begun is dropped")
        driver.frame(.aborted(Aborted()))
        driver.commit()
        guard case .failed(let failure)? = driver.outcomes.first else {
            Issue.record("\(driver.outcomes)")
            return
        }
        #expect(failure.kind == .sizeUnsupported)
    }

    /// The connection is cut between the store's answer and STORED, so the gateway lists the part behind RESUME STATE.
    /// The agent counts the part as stored and reads the next one.
    @Test(arguments: UInt32(1)...5, [1, 2])
    func arrivesAfterACutBeforeStored(part: UInt32, connections: Int) {
        var options = PairOptions()
        options.agentLimits.connections = connections
        let pair = Pair(options)
        var wasCut = false
        pair.onFrame = { [unowned pair] frame, _ in
            guard !wasCut, case .stored(let stored) = frame, stored.part.value == part else { return }
            wasCut = true
            pair.schedule.after(.zero) { [unowned pair] in pair.agent.cutAll() }
        }
        let upload = pair.push(bytes: 9_500, isStream: true)
        pair.expectStored(upload)
        #expect(wasCut)
        #expect(pair.store.partsStoredAgain == [])
    }

    /// The gateway lists parts of a stream that the agent has not offered again. The agent counts a listed part as
    /// stored if it is under way and has the listed digest. It ignores other listed parts: it cannot read them next,
    /// because a stream is read in order.
    @Test(arguments: [true, false])
    func listedPartsOfAStreamAreMatchedWithThoseUnderWay(isSame: Bool) throws {
        var driver = Self.driver()
        for _ in 0..<2 { driver.readStream(bytes: 1_000, isLast: false) }
        driver.chunkSent()
        _ = driver.connectionLost()
        driver.tick(after: .seconds(2))
        let resumed = driver.welcome()
        let number = try #require(Self.offers(resumed).map(\.part).first)
        let other = try #require(PartNumber(number.value == 1 ? 2 : 1))
        #expect(Self.offers(resumed).count == 1, "after a loss, one part is sent at a time")
        driver.frame(AgentDriver.resumeState(candidates: 2))
        let far = try #require(PartNumber(9))
        let digest = ToyDigest.sha256([UInt8(isSame ? other.value : 77)])
        let entries = [other, far].map { PartListEntry(part: $0, size: 1_000, digest: digest, etag: "e") }
        let listed = driver.frame(.partList(PartList(entries: entries, isLast: true)))
        let stored = listed.compactMap { action -> PartNumber? in
            if case .journal(_, .stored(_, let entry)) = action { entry.part } else { nil }
        }
        #expect(stored == (isSame ? [other] : []))
        driver.readStream(bytes: 1_000, isLast: false)
        #expect(driver.reads.map(\.value) == [4], "the stream is read on")
    }
}
