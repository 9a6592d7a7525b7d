import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Observes all frames, store requests and journal writes, and reports violations. The monitor never reads the
/// machines' state, because that state may be wrong.
final class Monitor {
    private struct SlotView {
        var session: SessionID
        var asksForPartials = false
        /// How many entries of the list that RESUME QUERY announced have not arrived yet.
        var missing: UInt32 = 0
        var resumeList: [PartListEntry] = []
        var completeList: [PartListEntry] = []
        var completeListIsWhole = false
    }

    private struct ConnectionKey: Hashable {
        var gateway: Int
        var connection: ConnectionID
    }

    private struct ConnectionView {
        var device: SHA256Digest?
        var run: RunID?
        var slots: [Slot: SlotView] = [:]
    }

    private struct DeviceKey: Hashable {
        var gateway: Int
        var device: SHA256Digest
    }

    private struct JobPart: Hashable {
        var upload: UploadID
        var part: PartNumber
    }

    private let scenario: Scenario
    private let store: VirtualStore
    private let report: (String) -> Void
    private var connections: [ConnectionKey: ConnectionView] = [:]
    private var currentRuns: [DeviceKey: (run: RunID, first: ConnectionID)] = [:]
    private var sessionsOfUploads: [String: SessionID] = [:]
    private var confirmed: [SessionID: [PartNumber: Set<String>]] = [:]
    private var confirmedInUploads: [String: [PartNumber: PartListEntry]] = [:]
    /// The part lists with which agents asked for completion, by session.
    private var listed: [SessionID: [[PartListEntry]]] = [:]
    func session(ofUpload upload: String) -> SessionID? { sessionsOfUploads[upload] }

    /// Sessions that an agent has aborted.
    private(set) var abortedByAgents: Set<SessionID> = []
    /// Whether a fault made the store report missing parts at a completion.
    var partsWereDenied = false
    /// Parts that an agent's journal holds as stored, by agent.
    private var known: [Int: Set<JobPart>] = [:]
    /// Parts that a gateway wants again, by agent. If a journal write that was already under way records such a part as
    /// stored, the part is not added to `known`.
    private var wanted: [Int: Set<PartNumber>] = [:]
    private var adopted: [Int: Set<SessionID>] = [:]
    /// How many parts each agent was asked to send again.
    private(set) var wantedCounts: [Int: Int] = [:]

    init(_ scenario: Scenario, store: VirtualStore, report: @escaping (String) -> Void) {
        self.scenario = scenario
        self.store = store
        self.report = report
    }

    // MARK: At the gateways

    /// Forgets the gateway's connections, and which run of each device was the current one at this gateway.
    func gatewayDied(_ gateway: Int) {
        connections = connections.filter { $0.key.gateway != gateway }
        currentRuns = currentRuns.filter { $0.key.gateway != gateway }
    }

    /// Notes what a frame that has reached a gateway says about sessions, runs and part lists.
    func received(_ frame: Frame, slot: Slot, on id: ConnectionID, gateway: Int) {
        let key = ConnectionKey(gateway: gateway, connection: id)
        switch frame {
        case .hello(let hello):
            connections[key, default: ConnectionView()].device = hello.fingerprint
            connections[key]?.run = hello.run
            // A newer run of a device replaces the current one. A run is newer if the gateway accepted its connection
            // after the first connection of the current run.
            let device = DeviceKey(gateway: gateway, device: hello.fingerprint)
            let current = currentRuns[device]
            if current.map({ $0.run != hello.run && id > $0.first }) ?? true { currentRuns[device] = (hello.run, id) }
        case .sessionOpen(let open):
            connections[key]?.slots[slot] = SlotView(session: open.session)
        case .resumeQuery(let query):
            guard let session = session(of: query.token) else { return }
            connections[key]?.slots[slot] = SlotView(
                session: session, asksForPartials: query.asksForPartials, missing: query.listedParts)
        case .abort(let abort):
            guard let session = session(of: abort.token) else { return }
            abortedByAgents.insert(session)
            connections[key]?.slots[slot] = SlotView(session: session)
        case .partList(let page):
            guard let missing = connections[key]?.slots[slot]?.missing else { return }
            if missing > 0 {
                connections[key]?.slots[slot]?.missing -= min(missing, UInt32(page.entries.count))
                connections[key]?.slots[slot]?.resumeList += page.entries
            } else {
                if connections[key]?.slots[slot]?.completeListIsWhole == true {
                    connections[key]?.slots[slot]?.completeList = []
                }
                connections[key]?.slots[slot]?.completeList += page.entries
                connections[key]?.slots[slot]?.completeListIsWhole = page.isLast
            }
        case .complete:
            guard let view = connections[key]?.slots[slot] else { return }
            listed[view.session, default: []].append(view.completeList)
            connections[key]?.slots[slot]?.completeListIsWhole = true
        default:
            break
        }
    }

    /// The session in a slot of a gateway's connection.
    func session(in slot: Slot, of id: ConnectionID, at gateway: Int) -> SessionID? {
        connections[ConnectionKey(gateway: gateway, connection: id)]?.slots[slot]?.session
    }

    func session(of token: [UInt8]) -> SessionID? { opened(token)?.session }

    func terms(of token: [UInt8]) -> SessionTerms? { opened(token)?.terms }

    private func opened(_ token: [UInt8]) -> SessionToken? {
        guard case .opened(let plain) = ToyCryptography(openingKeys: Set(0...255)).open(token: token) else {
            return nil
        }
        return SessionToken(encoded: plain)
    }

    /// Checks that a gateway accepts data only from the current run of a device.
    func tookData(from id: ConnectionID, gateway: Int) {
        guard isFenced(ConnectionKey(gateway: gateway, connection: id)) else { return }
        report("gateway \(gateway) took data of an older run")
    }

    private func isFenced(_ key: ConnectionKey) -> Bool {
        guard let view = connections[key], let device = view.device, let run = view.run else { return false }
        return currentRuns[DeviceKey(gateway: key.gateway, device: device)].map { $0.run != run } ?? false
    }

    /// Checks a frame that a gateway is about to send.
    func sends(_ frame: Frame, slot: Slot, on id: ConnectionID, gateway: Int) {
        let key = ConnectionKey(gateway: gateway, connection: id)
        if isFenced(key) {
            guard case .error = frame else {
                return report("gateway \(gateway) serves an older run with \(frame.type)")
            }
        }
        guard let view = connections[key]?.slots[slot] else { return }
        switch frame {
        case .sessionOpened(let opened):
            // The session differs from that in SESSION OPEN if the agent adopts a session.
            connections[key]?.slots[slot]?.session = opened.session
        case .stored(let stored):
            checkConfirmed(stored.part, etag: stored.etag, view.session)
        case .partDecision(let decision):
            guard case .have(let etag) = decision.decision else { return }
            checkConfirmed(decision.part, etag: etag, view.session)
        case .resumeState(let state):
            if !view.asksForPartials, !state.partials.isEmpty { report("partials are named without a request") }
            checkWanted(state.wanted, of: view.resumeList, view.session)
        case .partsWanted(let wanted):
            if !partsWereDenied { checkWanted(wanted.parts, of: view.completeList, view.session) }
        default:
            break
        }
    }

    private func checkConfirmed(_ part: PartNumber, etag: String, _ session: SessionID) {
        guard confirmed[session]?[part]?.contains(etag) != true else { return }
        report("part \(part) is reported as stored, but the store has not confirmed it")
    }

    private func checkWanted(_ wanted: [PartNumber], of list: [PartListEntry], _ session: SessionID) {
        for entry in list where wanted.contains(entry.part) {
            guard store.holds(entry, of: session), store.hasOneName(entry.part, of: session) else { continue }
            report("part \(entry.part) is stored as it was listed, and is wanted again")
        }
    }

    // MARK: At the store

    /// Checks that a completion names exactly the parts of a list that an agent has sent. Called before each request to
    /// the store.
    func requests(_ request: StoreRequest) {
        if let upload = request.upload, sessionsOfUploads[upload] == nil {
            sessionsOfUploads[upload] = store.uploads[upload]?.metadata.session
        }
        guard case .complete(_, let upload, let parts, _, _) = request, let session = sessionsOfUploads[upload] else {
            return
        }
        if listed[session]?.contains(parts) != true { report("what is being completed is not what an agent listed") }
    }

    /// Notes the parts that the store confirms. Called with the store's real answer, before a canary changes it.
    func answered(_ answer: StoreAnswer, to request: StoreRequest) {
        guard let upload = request.upload, let session = sessionsOfUploads[upload] else { return }
        switch (answer, request) {
        case (.partStored(let etag), .storePart(_, _, let part, let bytes)):
            confirm(part, size: bytes.size, etag: etag, upload, session)
        case (.parts(let entries), _):
            for entry in entries { confirm(entry.part, size: entry.size, etag: entry.etag, upload, session) }
        default:
            break
        }
    }

    private func confirm(_ part: PartNumber, size: UInt64, etag: String, _ upload: String, _ session: SessionID) {
        confirmed[session, default: [:]][part, default: []].insert(etag)
        confirmedInUploads[upload, default: [:]][part] = PartListEntry(part: part, size: size, digest: nil, etag: etag)
    }

    /// All parts that the store has ever confirmed in an upload.
    func confirmedParts(of upload: String) -> [PartListEntry] {
        (confirmedInUploads[upload] ?? [:]).values.sorted { $0.part < $1.part }
    }

    // MARK: At the agents

    /// Checks that the journal holds a session before a gateway learns of it.
    func sends(_ frame: Frame, agent: Int, journal: VirtualJournal) {
        let session: SessionID?
        switch frame {
        case .sessionOpen(let open): session = open.session
        case .resumeQuery(let query): session = self.session(of: query.token)
        default: return
        }
        // An adopted session need not be in the journal yet. The agent has to save it only before COMPLETE.
        guard let session, adopted[agent]?.contains(session) != true,
            !journal.rows.values.contains(where: { $0.saved?.session == session })
        else { return }
        report("agent \(agent) tells of a session that its journal does not hold")
    }

    /// Checks that the agent does not send a part that it knows to be stored.
    func sendsChunk(_ part: PartNumber, of upload: UploadID, agent: Int) {
        guard known[agent]?.contains(JobPart(upload: upload, part: part)) == true else { return }
        report("agent \(agent) sends part \(part), which it knows to be stored")
    }

    /// Notes that an agent has adopted a session. Called when the agent reads the gateway's frame that allows it.
    func adopted(_ session: SessionID, by agent: Int) { adopted[agent, default: []].insert(session) }

    /// Notes which parts an agent no longer knows to be stored. Called with each frame that an agent reads.
    func delivered(_ frame: Frame, agent: Int) {
        switch frame {
        case .partsWanted(let wanted): forget(wanted.parts, agent: agent)
        case .resumeState(let state):
            if state.phase == .lost { known[agent] = [] } else { forget(state.wanted, agent: agent) }
        case .error, .sessionRefused: known[agent] = []  // The session may be lost.
        default: break
        }
    }

    private func forget(_ parts: [PartNumber], agent: Int) {
        known[agent] = known[agent]?.filter { !parts.contains($0.part) }
        wanted[agent, default: []].formUnion(parts)
        wantedCounts[agent, default: 0] += parts.count
    }

    /// Forgets what an agent whose process has died knew to be stored, except what its journal holds.
    func agentDied(_ agent: Int, journal: VirtualJournal) {
        known[agent] = []
        wanted[agent] = []
        for row in journal.rows.values {
            for part in row.parts.keys { known[agent]?.insert(JobPart(upload: row.id, part: part)) }
        }
    }

    /// Notes what a journal write that has become durable says about stored parts.
    func committed(_ write: JournalWrite, agent: Int) {
        switch write {
        case .stored(let id, let entry):
            guard wanted[agent]?.contains(entry.part) != true else { return }
            known[agent, default: []].insert(JobPart(upload: id, part: entry.part))
        case .unstored(let id, let parts):
            for part in parts { known[agent]?.remove(JobPart(upload: id, part: part)) }
            wanted[agent]?.subtract(parts)
        case .began(let id, _), .lost(let id, _), .finished(let id, _):
            known[agent] = known[agent]?.filter { $0.upload != id }
        case .token, .restamped, .fruitless, .dropping, .mayStillAppear, .site, .proved, .doubted, .receipt:
            break
        }
    }
}
