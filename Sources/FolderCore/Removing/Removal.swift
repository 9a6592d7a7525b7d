package import TransferCommon

/// How the file of one proven item is deleted or moved. `RemovalPhase` has the table of transitions.
///
/// Invariants
/// - A file is unlinked only by its hidden name, and only after its content, or a stamp that counts, was compared with
///   the proof under that name. A program that opens the file by its own name cannot reach it any more.
/// - The journal has both names before the file has the hidden one. So after a crash in any phase the file is found.
/// - Every way out of a phase with the hidden name leads over `puttingBack` or `unlinking`: no file keeps the hidden
///   name.
/// - No rename replaces a file.
package struct Removal: Hashable, Sendable {
    /// What becomes of the file.
    package enum Aim: UInt8, Hashable, Sendable {
        case delete
        case move
    }

    /// How long a file stays aside if no lease can be had. A program that had it open before may still write for as
    /// long; what it writes after that is lost, as it is when a user deletes the file.
    package static let asideDelay = Duration.seconds(60)
    /// The time between two attempts of a step that is repeated.
    package static let pauseDelay = Duration.seconds(10)

    package private(set) var phase: RemovalPhase
    package let aim: Aim
    package let proof: ItemProof
    /// The name of the file, which it also gets back. It changes if that name was taken meanwhile.
    package private(set) var path: ItemPath
    package let aside: ItemPath
    private let confirms: Bool
    private let rechecks: Bool
    private var verdict = RemovalVerdict.keep(.interrupted)
    /// The stamp under the own name, to be compared with that under the hidden name.
    private var compared: FileStamp?

    /// Begins to remove the file of a proven item. The first step is `.compare`.
    package init(
        _ aim: Aim, of path: ItemPath, _ proof: ItemProof, aside: ItemPath, confirms: Bool, rechecks: Bool,
        _ request: RequestID
    ) {
        self.phase = .comparing(request)
        self.aim = aim
        self.proof = proof
        self.path = path
        self.aside = aside
        self.confirms = confirms
        self.rechecks = rechecks
    }

    /// Continues a removal that an earlier run began. The first step is `.findBoth`.
    package init(recovering path: ItemPath, _ proof: ItemProof, aside: ItemPath, _ request: RequestID) {
        self.phase = .recovering(request)
        self.aim = .delete
        self.proof = proof
        self.path = path
        self.aside = aside
        self.confirms = false
        self.rechecks = true
    }

    /// The step with which a new removal begins.
    package var firstStep: RemovalStep {
        if case .recovering = phase { return .findBoth(path, aside, inode: proof.stamp.inode) }
        // Where the stamp does not count, only the content shows that the file is what was proven.
        return .compare(path, partBytes: proof.stampCounts ? nil : proof.partBytes)
    }

    /// The request whose answer the removal awaits; `nil` if it awaits none.
    package var request: RequestID? {
        switch phase {
        case .comparing(let id), .asking(let id), .settingAside(let id), .comparingAside(let id, _),
            .hashing(let id, _), .unlinking(let id, _, _), .syncing(let id), .recovering(let id),
            .puttingBack(let id, _),
            .returningSync(let id):
            id
        case .journalling, .keeping, .recording, .returning, .pausing, .ended: nil
        }
    }
}

// MARK: - Events

extension Removal {
    /// Takes the answer to a step.
    ///
    /// - Parameter next: the id of the next step, if there is one.
    package mutating func answered(_ answer: RemovalAnswer, next: RequestID, now: Instant) -> RemovalEffect {
        switch phase {
        case .comparing: compared(answer, next)
        case .settingAside: setAside(answer, next)
        case .comparingAside(_, let isSecond): comparedAside(answer, isSecond: isSecond, next, now)
        case .hashing(_, let isSecond): hashed(answer, isSecond: isSecond, next, now)
        case .unlinking(_, let stamp, let number): unlinked(answer, stamp, number, next)
        case .syncing: synced(answer, now)
        case .recovering: recovered(answer, next, now)
        case .puttingBack(_, let number): putBack(answer, number, next, now)
        case .returningSync: returned(answer, now)
        case .asking, .journalling, .keeping, .recording, .returning, .pausing, .ended: .nothing
        }
    }

    /// Takes the gateway's answer.
    package mutating func proved(_ answer: ProveAnswer) -> RemovalEffect {
        guard case .asking = phase else { return .nothing }
        switch answer {
        case .proven(let store) where store == proof.store: return recordNames()
        case .proven, .absent, .different: return end(.notStored)
        case .unknown: return end(.keep(.gatewayCannotTell))
        case .failed: return end(.keep(.gatewayUnreachable))
        }
    }

    /// The owner has given the journal what the last effect asked for, in this transaction.
    package mutating func recorded(in number: TransactionNumber) {
        switch phase {
        case .journalling: phase = .journalling(number)
        case .recording: phase = .recording(number)
        case .returning: phase = .returning(number)
        default: break
        }
    }

    /// Whether the removal waits for this transaction.
    package func awaits(_ number: TransactionNumber) -> Bool {
        switch phase {
        case .journalling(number), .recording(number), .returning(number): true
        default: false
        }
    }

    /// The owner asks the gateway by this request.
    package mutating func asks(_ request: RequestID) {
        if case .asking = phase { phase = .asking(request) }
    }

    /// What the last effect gave to the journal is durable.
    package mutating func committed(_ next: RequestID) -> RemovalEffect {
        switch phase {
        case .journalling:
            phase = .settingAside(next)
            return .step(.setAside(path, aside))
        case .recording: return end(.removed)
        case .returning: return end(verdict)
        default: return .nothing
        }
    }

    /// Continues when the time of `keeping` or `pausing` has come.
    package mutating func tick(_ next: RequestID, now: Instant) -> RemovalEffect {
        switch phase {
        case .keeping(let until) where until <= now: return look(isSecond: true, next)
        case .pausing(let until, let step) where until <= now:
            switch step {
            case .sync: return sync(next)
            case .find: return find(next)
            case .putBack(let number): return putBack(number, next)
            case .returnSync: return returnSync(next)
            }
        default: return .nothing
        }
    }

    // MARK: Before the file is touched

    private mutating func compared(_ answer: RemovalAnswer, _ next: RequestID) -> RemovalEffect {
        switch answer {
        case .found(let stamp, _, let root):
            let isSame = proof.stampCounts ? stamp == proof.stamp : root == proof.root && stamp.size == proof.stamp.size
            guard isSame, stamp.inode == proof.stamp.inode else { return end(.changed) }
            compared = stamp
        case .missing: return end(.missing)
        case .failed(let reason): return end(.keep(.failed(reason)))
        case .done, .taken, .changed, .both: return end(.keep(.interrupted))
        }
        guard confirms else { return recordNames() }
        phase = .asking(next)
        return .ask
    }

    private mutating func recordNames() -> RemovalEffect {
        phase = .journalling(0)
        return .recordNames
    }

    // MARK: Under the hidden name

    private mutating func setAside(_ answer: RemovalAnswer, _ next: RequestID) -> RemovalEffect {
        switch answer {
        case .done:
            phase = .comparingAside(next, isSecond: false)
            return .step(.compareAside(aside))
        case .missing: verdict = .missing
        case .failed(let reason):
            // A rename that fails may have happened all the same.
            verdict = .keep(.failed(reason))
            return find(next)
        case .found, .taken, .changed, .both: break
        }
        return recordReturn()
    }

    private mutating func comparedAside(
        _ answer: RemovalAnswer, isSecond: Bool, _ next: RequestID, _ now: Instant
    ) -> RemovalEffect {
        guard case .found(let stamp, let lease, _) = answer, let compared, stamp.isRenamed(compared), lease != .refused
        else {
            verdict = .changed
            return putBack(0, next)
        }
        if !isStampEnough { return look(isSecond: false, next) }
        return lease == .granted || isSecond ? unlink(stamp, next) : keep(now)
    }

    /// Whether the stamp alone decides, so that the content is not read again before the file is deleted.
    private var isStampEnough: Bool { !rechecks && proof.stampCounts }

    private mutating func look(isSecond: Bool, _ next: RequestID) -> RemovalEffect {
        if isStampEnough {
            phase = .comparingAside(next, isSecond: isSecond)
            return .step(.compareAside(aside))
        }
        phase = .hashing(next, isSecond: isSecond)
        return .step(.hashAside(aside, partBytes: proof.partBytes))
    }

    /// Programs that had the file open get the time to close it.
    private mutating func keep(_ now: Instant) -> RemovalEffect {
        phase = .keeping(until: now + Self.asideDelay)
        return .wait(until: now + Self.asideDelay)
    }

    private mutating func hashed(
        _ answer: RemovalAnswer, isSecond: Bool, _ next: RequestID, _ now: Instant
    ) -> RemovalEffect {
        verdict = .changed
        switch answer {
        case .found(let stamp, let lease, let root):
            guard lease != .refused, root == proof.root, let compared, stamp.isRenamed(compared) else {
                return putBack(0, next)
            }
            return lease == .granted || isSecond ? unlink(stamp, next) : keep(now)
        case .failed(let reason): verdict = .keep(.failed(reason))
        case .missing, .done, .taken, .changed, .both: break
        }
        return putBack(0, next)
    }

    private mutating func unlink(_ stamp: FileStamp, number: UInt32 = 0, _ next: RequestID) -> RemovalEffect {
        phase = .unlinking(next, stamp, number: number)
        switch aim {
        case .delete: return .step(.unlink(aside, stamp))
        case .move: return .step(.moveAway(aside, to: number == 0 ? path : path.numbered(number), stamp))
        }
    }

    private mutating func unlinked(
        _ answer: RemovalAnswer, _ stamp: FileStamp, _ number: UInt32, _ next: RequestID
    ) -> RemovalEffect {
        switch answer {
        case .done, .missing: return sync(next)
        case .taken: return unlink(stamp, number: max(number, 1) &+ 1, next)
        case .changed, .found, .both: verdict = .changed
        case .failed(let reason): verdict = .keep(.failed(reason))
        }
        return putBack(0, next)
    }

    private mutating func sync(_ next: RequestID) -> RemovalEffect {
        phase = .syncing(next)
        return .step(.syncDirectory(path))
    }

    private mutating func synced(_ answer: RemovalAnswer, _ now: Instant) -> RemovalEffect {
        if case .failed = answer { return pause(.sync, now) }
        phase = .recording(0)
        return .recordEnd
    }

    // MARK: The way back

    private mutating func find(_ next: RequestID) -> RemovalEffect {
        phase = .recovering(next)
        return .step(.findBoth(path, aside, inode: proof.stamp.inode))
    }

    private mutating func recovered(_ answer: RemovalAnswer, _ next: RequestID, _ now: Instant) -> RemovalEffect {
        switch answer {
        case .both(_, aside: true): return putBack(0, next)
        case .both(let own?, aside: false) where own.isRenamed(proof.stamp): return returnSync(next)
        case .both: return sync(next)
        case .failed, .found, .missing, .done, .taken, .changed: return pause(.find, now)
        }
    }

    private mutating func putBack(_ number: UInt32, _ next: RequestID) -> RemovalEffect {
        phase = .puttingBack(next, number: number)
        return .step(.putBack(aside, to: number == 0 ? path : path.numbered(number)))
    }

    private mutating func putBack(
        _ answer: RemovalAnswer, _ number: UInt32, _ next: RequestID, _ now: Instant
    ) -> RemovalEffect {
        switch answer {
        case .done: if number > 0 { path = path.numbered(number) }
        case .taken: return putBack(max(number, 1) &+ 1, next)
        case .missing: verdict = .missing
        case .failed, .found, .changed, .both: return pause(.putBack(number: number), now)
        }
        return returnSync(next)
    }

    /// The journal may forget the hidden name only when no power cut can bring it back.
    private mutating func returnSync(_ next: RequestID) -> RemovalEffect {
        phase = .returningSync(next)
        return .step(.syncDirectory(path))
    }

    private mutating func returned(_ answer: RemovalAnswer, _ now: Instant) -> RemovalEffect {
        if case .failed = answer { return pause(.returnSync, now) }
        return recordReturn()
    }

    private mutating func recordReturn() -> RemovalEffect {
        phase = .returning(0)
        return .recordReturn
    }

    private mutating func pause(_ step: RemovalRepetition, _ now: Instant) -> RemovalEffect {
        phase = .pausing(until: now + Self.pauseDelay, step)
        return .wait(until: now + Self.pauseDelay)
    }

    private mutating func end(_ verdict: RemovalVerdict) -> RemovalEffect {
        phase = .ended
        return .ended(verdict)
    }
}

extension FileStamp {
    /// Whether the other stamp may be that of the same version under an earlier name: only the change time may differ.
    func isRenamed(_ other: FileStamp) -> Bool {
        var same = self
        same.change = other.change
        same.device = other.device
        return same == other
    }
}
