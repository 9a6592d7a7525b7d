import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Uploads without faults, event by event, with the actions after each event.
@Suite struct TranscriptTests {
    // MARK: The gateway

    private func part(_ value: UInt32) throws -> PartNumber { try #require(PartNumber(value)) }

    @Test func aGatewayTakesAFileOfSeveralParts() throws {
        var gateway = GatewayDriver()
        let id = GatewayDriver.connection
        let slot = GatewayDriver.slot
        let first = StoreRequestID(1)
        let plan = try #require(PartPlan(fileBytes: 1_500, partBytes: 1_000))
        gateway.connect()

        // SESSION OPEN: the gateway looks up the object, then the records of unfinished sessions.
        #expect(
            gateway.frame(.sessionOpen(GatewayDriver.open(size: 1_500))) == [
                .store(first, .lookUpObject(key: "site/file", plan: plan))
            ])
        #expect(gateway.answer(.object(nil)) == [.store(StoreRequestID(2), .findRecords(key: "site/file"))])

        // No session is unfinished. The gateway writes a session record, creates the upload, and writes the record
        // again with the upload's id.
        var facts = SessionRecord(
            device: "device-1", session: GatewayDriver.session, terms: GatewayDriver.terms(size: 1_500), upload: nil)
        #expect(gateway.answer(.records([])) == [.store(StoreRequestID(3), .writeRecord(facts))])
        #expect(
            gateway.answer(.done) == [
                .store(StoreRequestID(4), .createUpload(key: "site/file", metadata: facts.objectMetadata))
            ])
        facts.upload = "upload-1"
        #expect(gateway.answer(.uploadCreated(upload: "upload-1")) == [.store(StoreRequestID(5), .writeRecord(facts))])
        let opened = gateway.answer(.done)
        let token = try #require(gateway.tokens.last)
        #expect(
            opened == [
                .note(.opened(GatewayDriver.session, device: "device-1", key: "site/file")),
                .send(
                    id, slot,
                    .sessionOpened(
                        SessionOpened(session: GatewayDriver.session, partBytes: 1_000, token: token))),
            ])

        // PART OFFER: the gateway reserves a window and starts a store request that will take the bytes.
        let offer = try #require(GatewayDriver.offer(1, of: 1_500))
        let flow = FlowID(1)
        let bytes = PartBytes(flow: flow, size: 1_000, digest: offer.digest, md5: nil)
        #expect(
            gateway.frame(.partOffer(offer)) == [
                .openFlow(flow, size: 1_000, holdsLast: false),
                .store(
                    StoreRequestID(6),
                    .storePart(key: "site/file", upload: "upload-1", part: offer.part, bytes: bytes)),
                .send(id, slot, .partDecision(PartDecision(part: offer.part, decision: .send(offset: 0, limit: 600)))),
            ])
        #expect(gateway.data(bytes: 256) == .accept(flow, skip: 0))

        // The limit rises by the bytes that the store request has taken.
        #expect(
            gateway.change { $0.consumed(256, flow: flow, now: $1) } == [
                .send(id, slot, .received(Received(part: offer.part, received: 256, limit: 856)))
            ])
        for offset in [256, 512] as [UInt64] { gateway.data(offset: offset, bytes: 256) }
        gateway.change { $0.consumed(768, flow: flow, now: $1) }
        gateway.data(offset: 768, bytes: 232)

        // The gateway sends STORED only after the store has confirmed the part.
        #expect(
            gateway.answer(.partStored(etag: "etag-1")) == [
                .dropFlow(flow), .send(id, slot, .stored(Stored(part: offer.part, etag: "etag-1"))),
            ])

        // COMPLETE: the gateway compares the agent's list with the store's list, and then completes the upload with
        // exactly the listed parts.
        let entries = GatewayDriver.entries(of: 1_500)
        #expect(gateway.frame(.partList(PartList(entries: entries, isLast: true))) == [])
        #expect(
            gateway.frame(.complete(GatewayDriver.complete(1_500))) == [
                .store(StoreRequestID(7), .listParts(key: "site/file", upload: "upload-1"))
            ])
        #expect(
            gateway.answer(.parts(entries)) == [
                .store(
                    StoreRequestID(8),
                    .complete(key: "site/file", upload: "upload-1", parts: entries, size: 1_500, condition: .ifAbsent))
            ])
        let completed = Completed(
            size: 1_500, evidence: .root(GatewayDriver.complete(1_500).root), partBytes: 1_000, etag: "e", version: "",
            location: "file")
        #expect(
            gateway.answer(.objectStored(GatewayDriver.storedObject)) == [
                .send(id, slot, .completed(completed)),
                .store(StoreRequestID(9), .removeRecord(key: "site/file", session: GatewayDriver.session)),
                .note(.completed(GatewayDriver.session, device: "device-1", key: "site/file", bytes: 1_500)),
            ])
        #expect(gateway.machine.slotsInUse == 0)
    }

    @Test func aGatewayTakesASmallFileInOneFlight() throws {
        var gateway = GatewayDriver()
        let id = GatewayDriver.connection
        let slot = GatewayDriver.slot
        gateway.connect()

        // SESSION OPEN, PART OFFER, PART DATA and COMPLETE arrive together, before the gateway answers.
        gateway.frame(.sessionOpen(GatewayDriver.open(size: 400)))
        let offer = try #require(GatewayDriver.offer(1, of: 400))
        let flow = FlowID(1)
        #expect(gateway.frame(.partOffer(offer)) == [.openFlow(flow, size: 400, holdsLast: true)])
        for offset in [0, 200] as [UInt64] {
            #expect(gateway.data(offset: offset, bytes: 200) == .accept(flow, skip: 0))
        }
        #expect(gateway.frame(.complete(GatewayDriver.complete(400))) == [])

        // The key is free: the gateway decides everything at once, and releases the last bytes.
        let actions = gateway.answer(.object(nil))
        let token = try #require(gateway.tokens.last)
        let metadata = ObjectMetadata(
            session: GatewayDriver.session, partBytes: 1_000, modification: GatewayDriver.modification)
        #expect(
            actions == [
                .send(
                    id, slot,
                    .sessionOpened(
                        SessionOpened(session: GatewayDriver.session, partBytes: 1_000, token: token))),
                .store(
                    StoreRequestID(2),
                    .storeObject(
                        key: "site/file", metadata: metadata,
                        bytes: PartBytes(flow: flow, size: 400, digest: offer.digest, md5: nil), condition: .ifAbsent)),
                .send(
                    id, slot, .partDecision(PartDecision(part: offer.part, decision: .send(offset: 400, limit: 400)))),
                .releaseFlow(flow),
            ])
        let completed = Completed(
            size: 400, evidence: .wholeDigest(offer.digest), partBytes: 1_000, etag: "e", version: "", location: "file")
        #expect(
            gateway.answer(.objectStored(GatewayDriver.storedObject)) == [
                .dropFlow(flow), .send(id, slot, .completed(completed)),
                .note(.completed(GatewayDriver.session, device: "device-1", key: "site/file", bytes: 400)),
            ])
    }

    @Test func gatewayResumesAnUnknownSession() throws {
        var gateway = GatewayDriver()
        let entries = GatewayDriver.entries(of: 2_500)
        gateway.connect()

        // RESUME QUERY and its list: the gateway asks the store when the list is whole.
        #expect(gateway.frame(.resumeQuery(ResumeQuery(listedParts: 2, token: GatewayDriver.token()))) == [])
        let stale = PartListEntry(part: entries[1].part, size: 1_000, digest: entries[1].digest, etag: "stale")
        #expect(
            gateway.frame(.partList(PartList(entries: [entries[0], stale], isLast: true))) == [
                .store(StoreRequestID(1), .listParts(key: "site/file", upload: "upload-1"))
            ])

        // The store holds one listed part with another ETag than the agent lists, so the gateway wants this part again.
        // It holds another part that the agent did not list, so the gateway names that part as a candidate.
        let actions = gateway.answer(.parts(entries))
        let state = ResumeState(
            phase: .ongoing, partBytes: 1_000, candidateParts: 1, partials: [], wanted: [entries[1].part],
            token: try #require(gateway.tokens.last))
        #expect(
            actions == [
                .note(.resumed(GatewayDriver.session, device: "device-1", key: "site/file")),
                .send(GatewayDriver.connection, GatewayDriver.slot, .resumeState(state)),
                .send(
                    GatewayDriver.connection, GatewayDriver.slot,
                    .partList(PartList(entries: [entries[2]], isLast: true))),
                .reportWritten(GatewayDriver.connection, bytes: 63),
            ])

        // The offer's digest equals that of the candidate, so the gateway answers *have* and the agent sends no data.
        let offer = try #require(GatewayDriver.offer(3, of: 2_500))
        #expect(
            gateway.frame(.partOffer(offer)) == [
                .send(
                    GatewayDriver.connection, GatewayDriver.slot,
                    .partDecision(PartDecision(part: offer.part, decision: .have(etag: "etag-3"))))
            ])
    }

    // MARK: The agent

    @Test func anAgentSendsAFileOfSeveralParts() throws {
        var agent = AgentDriver { $0.concurrency = 1 }
        let upload = AgentDriver.upload
        let id = ConnectionID(1)
        let slot = Slot(1)
        let first = try part(1)

        #expect(agent.submit(size: 1_500) == [.connect(id)])

        // WELCOME names the part sizes: the agent saves the session before it sends SESSION OPEN.
        let welcomed = agent.welcome()
        let saved = SavedSession(
            session: agent.session, token: [], partBytes: 1_000, stamp: AgentDriver.stamp(size: 1_500), parts: [],
            losses: 0)
        #expect(welcomed.last == .journal(JournalSequence(1), .began(upload, saved)))
        let open = GatewayDriver.open(size: 1_500, session: agent.session)
        #expect(agent.commit() == [.send(id, slot, .sessionOpen(open))])

        // SESSION OPENED: the agent reads the first part, offers it, and sends data within the initial credit.
        #expect(
            agent.frame(AgentDriver.opened(agent.session)) == [
                .journal(JournalSequence(2), .token(upload, [4])),
                .report(upload, .opened(agent.session, resumedBytes: 0)),
                .readPart(upload, first, start: 0, bytes: 1_000, withMD5: false, keep: true),
            ])
        let offer = try #require(GatewayDriver.offer(1, of: 1_500))
        #expect(
            agent.read(size: 1_500) == [
                .send(id, slot, .partOffer(offer)),
                .sendChunk(id, slot, upload, first, offset: 0, plainBytes: 256),
                .sendChunk(id, slot, upload, first, offset: 256, plainBytes: 244),
            ])

        // The gateway answered *send*: the agent sends data up to the limit in this decision.
        #expect(
            agent.frame(.partDecision(PartDecision(part: first, decision: .send(offset: 0, limit: 600)))) == [
                .sendChunk(id, slot, upload, first, offset: 500, plainBytes: 100)
            ])
        #expect(
            agent.frame(.received(Received(part: first, received: 500, limit: 1_000))) == [
                .sendChunk(id, slot, upload, first, offset: 600, plainBytes: 256),
                .sendChunk(id, slot, upload, first, offset: 856, plainBytes: 144),
            ])
        let written = (0..<agent.chunks.count).flatMap { _ in agent.chunkSent() }
        #expect(written.contains(.journal(JournalSequence(3), .fruitless(upload, attempts: 1))))

        // STORED: the agent writes the part to the journal and reads the next one. The attempt is not fruitless, as the
        // journal says since the first data was sent.
        let entries = GatewayDriver.entries(of: 1_500)
        #expect(
            agent.frame(.stored(Stored(part: first, etag: "etag-1"))) == [
                .journal(JournalSequence(4), .stored(upload, entries[0])),
                .report(upload, .partProgress(first, sent: 1_000, size: 1_000, isStored: true)),
                .releasePart(upload, first),
                .journal(JournalSequence(5), .fruitless(upload, attempts: 0)),
                .readPart(upload, try part(2), start: 1_000, bytes: 500, withMD5: false, keep: true),
            ])
        agent.read(size: 1_500)
        agent.frame(.partDecision(PartDecision(part: try part(2), decision: .have(etag: "etag-2"))))
        #expect(agent.commit() == [.checkFile(upload)])

        // Every part is stored and the file is unchanged: the agent sends the list and COMPLETE.
        #expect(
            agent.change { $0.fileChecked(.success(AgentDriver.stamp(size: 1_500)), of: upload, now: $1) } == [
                .send(id, slot, .partList(PartList(entries: entries, isLast: true))),
                .send(id, slot, .complete(GatewayDriver.complete(1_500, isFirst: true))),
            ])
        var receipt = UploadReceipt(
            size: 1_500, partBytes: 1_000, root: GatewayDriver.complete(1_500).root, evidence: .none, etag: "e",
            version: "", session: agent.session, stamp: AgentDriver.stamp(size: 1_500))
        receipt.site = AgentDriver.welcome(0).site
        #expect(
            agent.frame(AgentDriver.completed(size: 1_500)) == [
                .journal(JournalSequence(7), .finished(upload, .stored(receipt, wasThere: false)))
            ])

        // The journal commits the outcome before the agent reports it.
        var figures = UploadProgress(size: 1_500, storedBytes: 1_500, bytesSent: 1_500, bytesResumed: 500)
        figures.isResumable = true
        #expect(agent.commit() == [.finish(upload, .stored(receipt, wasThere: false), figures)])
        #expect(agent.machine.isIdle)
    }

    @Test func anAgentSendsASmallFileInOneFlight() throws {
        var agent = AgentDriver()
        let id = ConnectionID(1)
        let slot = Slot(1)
        let first = try part(1)
        agent.submit(size: 200)
        agent.welcome()
        let begun = agent.commit()
        #expect(
            begun.last == .readPart(AgentDriver.upload, first, start: 0, bytes: 200, withMD5: false, keep: true))
        #expect(
            agent.read(size: 200) == [
                .send(id, slot, .partOffer(try #require(GatewayDriver.offer(1, of: 200)))),
                .sendChunk(id, slot, AgentDriver.upload, first, offset: 0, plainBytes: 200),
            ])
        #expect(agent.chunkSent().last == .send(id, slot, .complete(GatewayDriver.complete(200))))
        agent.frame(AgentDriver.opened(agent.session))
        agent.frame(.partDecision(PartDecision(part: first, decision: .send(offset: 200, limit: 200))))
        agent.frame(AgentDriver.completed(size: 200))
        let ended = agent.commit()
        guard case .finish(_, .stored(let receipt, wasThere: false), let figures)? = ended.last else {
            Issue.record("\(ended)")
            return
        }
        #expect(receipt.root == GatewayDriver.complete(200).root)
        #expect(figures.storedBytes == 200)
    }

    @Test func agentResumesFromItsJournal() throws {
        var agent = AgentDriver()
        let saved = AgentDriver.saved(stored: 2)
        agent.submit(size: 2_500, saved: saved)
        let resumed = agent.welcome()
        // The agent reads the part that is not stored yet, and offers it before the answer to RESUME QUERY arrives.
        let query = ResumeQuery(listedParts: 2, token: saved.token, asksForPartials: true)
        #expect(
            resumed.suffix(3) == [
                .send(ConnectionID(1), Slot(1), .resumeQuery(query)),
                .send(ConnectionID(1), Slot(1), .partList(PartList(entries: saved.parts, isLast: true))),
                .readPart(AgentDriver.upload, try part(3), start: 2_000, bytes: 500, withMD5: true, keep: true),
            ])
        let offer = try #require(GatewayDriver.offer(3, of: 2_500))
        #expect(agent.read() == [.send(ConnectionID(1), Slot(1), .partOffer(offer))])
        #expect(
            agent.frame(AgentDriver.resumeState()) == [
                .journal(JournalSequence(1), .token(AgentDriver.upload, [4, 5])),
                .report(AgentDriver.upload, .opened(saved.session, resumedBytes: 2_000)),
            ])
    }
}
