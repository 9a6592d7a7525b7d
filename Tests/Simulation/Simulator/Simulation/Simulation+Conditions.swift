import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

// Checks that no object is replaced without the user's permission. Two kinds of replacement do no harm and are always
// allowed: the replacement by an object with equal bytes, and the replacement by a later version of the same file that
// has only grown.

/// What the agents' frames say about sessions and their completion.
struct TermsView {
    private struct SlotKey: Hashable {
        var agent: Int
        var connection: ConnectionID
        var slot: Slot
    }

    private var sessions: [SlotKey: SessionID] = [:]
    /// The user's policy when an agent sent COMPLETE for the session.
    private(set) var policies: [SessionID: ExistingKeyPolicy] = [:]
    /// When a gateway last received COMPLETE for the session.
    var completedAt: [SessionID: Instant] = [:]

    mutating func noteSession(_ session: SessionID, _ slot: Slot, of id: ConnectionID, agent: Int) {
        sessions[SlotKey(agent: agent, connection: id, slot: slot)] = session
    }

    mutating func noteComplete(_ slot: Slot, of id: ConnectionID, agent: Int, policy: (SessionID) -> ExistingKeyPolicy?)
    {
        guard let session = sessions[SlotKey(agent: agent, connection: id, slot: slot)] else { return }
        if let policy = policy(session) { policies[session] = policy }
    }
}

extension Simulation {
    /// Notes the session of a slot, and the user's policy at COMPLETE. Called with each frame of an agent.
    func noteTerms(_ frame: Frame, slot: Slot, on id: ConnectionID, from agent: AgentHost) {
        switch frame {
        case .sessionOpen(let open):
            terms.noteSession(open.session, slot, of: id, agent: agent.number)
        case .resumeQuery(let query):
            guard let session = monitor.session(of: query.token) else { return }
            terms.noteSession(session, slot, of: id, agent: agent.number)
        case .complete:
            terms.noteComplete(slot, of: id, agent: agent.number) { session in
                let rows = journals[agent.number].rows
                let row = rows.first { $0.value.saved?.session == session }
                if row == nil { violation("agent \(agent.number) completes a session that its journal does not hold") }
                return row.map { jobs[job($0.key)].submittedPolicy }
            }
        default:
            break
        }
    }

    /// Checks that an object was allowed to replace another one. Called after the replacement.
    func checkReplacement(
        of replaced: VirtualStore.Object, putAt: Instant, by object: VirtualStore.Object, key: String
    ) {
        guard let writer = object.writer, replaced.bytes != object.bytes else { return }
        if replaced.writer == nil { count("an object of another writer is replaced") }
        guard terms.policies[writer] != .replace else { return }
        let digest = ToyDigest.sha256(replaced.bytes)
        let isContinuation =
            object.bytes.starts(with: replaced.bytes)
            && jobs.contains { $0.key == key && $0.file.versions.contains(digest) }
        if isContinuation { return count("a file that grew replaces its object") }
        // The store does not check all conditions, so the gateway looked up the key after COMPLETE. It saw the object
        // that the key held at that moment; a later object may be replaced.
        if scenario.nature.conditions != .all, let heard = terms.completedAt[writer], putAt >= heard {
            return count("another writer is overtaken where conditions are not checked")
        }
        guard !landsUnchecked else {
            return count("a slow completion lands after another where conditions are not checked")
        }
        violation("the object at \(key) is replaced, and the user did not say so")
    }

    /// Whether the store completes an upload without checking any condition, and takes up to half a minute for it. Such
    /// a store writes the object whatever happens to the key meanwhile, and no client can prevent that.
    var landsUnchecked: Bool { scenario.hasSlowCompletion && !scenario.nature.conditions.complete.ifAbsent }

    /// Checks that an upload is not aborted while it is being completed. Called after an abort of an upload whose
    /// completion the store had answered with a conflict.
    func checkAborted(_ request: StoreRequest) {
        guard case .complete(let key, let upload, _, _, _) = request, let session = monitor.session(ofUpload: upload),
            !monitor.abortedByAgents.contains(session)
        else { return }
        // Another agent has stored the same content under the key. So the session succeeds, although its upload is
        // aborted.
        if let object = store.object(key), object.writer != session,
            jobs.contains(where: { $0.key == key && $0.file.versions.contains(ToyDigest.sha256(object.bytes)) })
        {
            return
        }
        violation("\(upload) was aborted after a conflict, while it was being completed")
    }

    /// Checks an agent's report that the key is taken. The report is wrong if the key holds an earlier version of the
    /// file, and the file has only grown since then.
    func checkGrowth(of number: Int, _ object: VirtualStore.Object) {
        let state = jobs[number]
        guard state.submittedPolicy == .verify, state.file.versions.count == state.submittedVersion + 1,
            let proof = journals[state.agent].rows[state.upload]?.proof, proof.session == object.writer,
            scenario.nature.keepsSession, proof.root != nil, proof.stamp.inode == state.file.stamp.inode,
            object.bytes.count < state.file.bytes.count, state.file.bytes.starts(with: object.bytes)
        else { return }
        violation("job \(number): the key is reported as taken by the file's own earlier version")
    }
}
