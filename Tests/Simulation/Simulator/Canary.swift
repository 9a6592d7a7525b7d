import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// A defect that the simulator inserts on purpose between a machine and its environment. The checks of the simulator
/// must detect it.
package enum Canary: String, CaseIterable, Sendable {
    /// The gateway sends STORED before the store has confirmed the part.
    case acknowledgesEarly
    /// When the gateway asks the store to complete an upload, it leaves out a part.
    case completesWithGap
    /// If a listing of the store lacks a part, the gateway requests the part from the agent again, although it has
    /// reported the part as *stored*.
    case trustsLaggingList
    /// The gateway does not notice that a newer run of the agent has connected, so the older run's connection may still
    /// write.
    case oldConnectionWrites
    /// If the store does not know an upload, the gateway treats the upload as completed.
    case takesUnknownUploadForSuccess
    /// The agent acts on a journal write before the write is durable.
    case goesOnBeforeJournal
    /// If a file changes while the agent reads it, the agent does not notice.
    case overlooksChange
    /// The gateway writes no session records.
    case writesNoRecord
    /// If the store answers a completion with a failure, the answer never reaches the gateway's machine.
    case losesAnswers
    /// After one abort the gateway treats the upload as gone, even if a part arrives afterwards.
    case trustsOneAbort
    /// A new process of the agent does not know which parts are stored: it reads none from the journal, and the store
    /// lists none to the gateway.
    case sendsStoredPartsAgain
    /// A gateway that resumes a session forgets the session's write condition, and allows the session to replace any
    /// object.
    case forgetsConditionOnResume
    /// An agent that compares its file with an object always finds them equal.
    case callsChangedFileStored
    /// If the store answers a completion with a conflict, the gateway aborts the upload, although another request may
    /// be completing it.
    case abortsAfterConflict
    /// An agent continues a partial although the partial's digest differs from that of the agent's own part.
    case takesForeignPartials
    /// An agent that uploads streams never reads the end of a list of stored parts.
    case missesListsOfStreams
    /// The gateway treats a record as renewed as soon as it has requested the renewal. So it removes the record too
    /// early.
    case removesRecordDuringRenewal

    /// Installs the defect around a gateway's machine, if it is a defect of gateways.
    func install(on gateway: GatewayHost, in simulation: Simulation) {
        switch self {
        case .acknowledgesEarly:
            gateway.foreseesAnswer = { request, body in
                guard case .storePart = request else { return nil }
                return .partStored(etag: ToyDigest.md5(body).description)
            }
        case .completesWithGap:
            gateway.tamperRequest = { request in
                guard case .complete(let key, let upload, var parts, let size, let condition) = request else {
                    return request
                }
                let left = parts.popLast()
                return .complete(
                    key: key, upload: upload, parts: parts, size: size - (left?.size ?? 0), condition: condition)
            }
        case .trustsLaggingList:
            gateway.tamperAnswer = { [unowned simulation] answer, request in
                guard case .parts(let entries) = answer, case .listParts(_, let upload) = request else { return answer }
                let listed = Set(entries.map(\.part))
                let lacking = simulation.monitor.confirmedParts(of: upload).filter { !listed.contains($0.part) }
                return .parts(
                    (entries + lacking.map { PartListEntry(part: $0.part, size: 0, digest: nil, etag: "lacking") })
                        .sorted { $0.part < $1.part })
            }
        case .oldConnectionWrites:
            gateway.tamperInbound = { frame in
                guard case .hello(let hello) = frame else { return frame }
                return .hello(
                    Hello(
                        versionMin: hello.versionMin, versionMax: hello.versionMax, capabilities: hello.capabilities,
                        fingerprint: hello.fingerprint, run: RunID(high: 0, low: 0), software: hello.software))
            }
        case .takesUnknownUploadForSuccess:
            gateway.tamperAnswer = { answer, request in
                guard case .failed(.uploadUnknown) = answer, case .complete = request else { return answer }
                return .objectStored(StoredObject(evidence: .none, etag: "", version: ""))
            }
        case .writesNoRecord:
            gateway.tamperRequest = { request in
                if case .writeRecord = request { nil } else { request }
            }
        case .losesAnswers:
            gateway.tamperAnswer = { answer, request in
                guard case .failed = answer, case .complete = request else { return answer }
                return nil
            }
        case .trustsOneAbort:
            var aborted: Set<String> = []
            gateway.tamperAnswer = { answer, request in
                if case .abort(_, let upload) = request { aborted.insert(upload) }
                guard case .listParts(_, let upload) = request, aborted.contains(upload) else { return answer }
                return .parts([])
            }
        case .sendsStoredPartsAgain:
            gateway.tamperAnswer = { answer, request in
                guard case .parts = answer else { return answer }
                return .parts([])
            }
        case .removesRecordDuringRenewal:
            gateway.foreseesAnswer = { request, _ in
                if case .renewRecord = request { .done } else { nil }
            }
        case .forgetsConditionOnResume, .abortsAfterConflict:
            installDefectOfConditions(on: gateway, in: simulation)
        case .goesOnBeforeJournal, .overlooksChange, .callsChangedFileStored, .takesForeignPartials,
            .missesListsOfStreams:
            break
        }
    }

    private func installDefectOfConditions(on gateway: GatewayHost, in simulation: Simulation) {
        switch self {
        case .forgetsConditionOnResume:
            gateway.tamperInbound = { frame in
                guard case .resumeQuery(let query) = frame else { return frame }
                return .resumeQuery(
                    ResumeQuery(
                        listedParts: query.listedParts, token: Self.withoutCondition(query.token),
                        asksForPartials: query.asksForPartials, asksForReceipt: query.asksForReceipt))
            }
        case .abortsAfterConflict:
            gateway.tamperAnswer = { [unowned simulation] answer, request in
                guard case .failed(.conflict) = answer, case .complete(_, let upload, _, _, _) = request else {
                    return answer
                }
                simulation.store.abortUpload(upload)
                return .failed(.uploadUnknown)
            }
        default:
            break
        }
    }

    private static func withoutCondition(_ sealed: [UInt8]) -> [UInt8] {
        let ring = ToyCryptography(sealingKey: 0, openingKeys: Set(0...255))
        guard case .opened(let plain) = ring.open(token: sealed), var token = SessionToken(encoded: plain) else {
            return sealed
        }
        token.terms.condition = .any
        return token.encoded.flatMap(ring.seal(token:)) ?? sealed
    }

    /// Installs the defect around an agent's machine, if it is a defect of agents.
    func install(on agent: AgentHost, in simulation: Simulation) {
        switch self {
        case .takesForeignPartials:
            agent.tamperInbound = { [unowned simulation, unowned agent] frame in
                simulation.withOwnDigests(frame, of: agent)
            }
        case .goesOnBeforeJournal:
            agent.claimsCommits = true
        case .overlooksChange:
            agent.tamperReading = { before, reading in
                guard case .read(let digest, let md5, _) = reading else { return reading }
                return .read(digest: digest, md5: md5, stamp: before)
            }
        case .callsChangedFileStored:
            agent.tamperEvidence = { $0 }
        case .missesListsOfStreams:
            // Install this defect only if the agent uploads nothing but streams. Without the end of its list, an upload
            // of a file would never end, and other checks would detect that.
            guard simulation.scenario.jobs.allSatisfy({ $0.agent != agent.number || $0.isStream }) else { return }
            agent.tamperInbound = { frame in
                guard case .partList = frame else { return frame }
                return .partList(PartList(entries: [], isLast: false))
            }
        default:
            break
        }
    }
}
