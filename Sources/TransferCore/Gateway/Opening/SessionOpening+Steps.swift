package import TransferCommon
import WireProtocol

// What a session does after each answer while it opens (specification §6.3, §8.1).

extension SessionOpening {
    /// What the next step depends on besides the store's answer. Only the session and its gateway know it.
    package struct Surroundings: Hashable, Sendable {
        /// Whether every slot of the session waits for SESSION OPENED.
        package var areAllOpening: Bool
        /// Whether another gateway may be completing the upload.
        package var mayBeCompleting: Bool
        /// Sessions that must not be adopted, because they are in use or have ended.
        package var busy: Set<SessionID>

        package init(areAllOpening: Bool, mayBeCompleting: Bool, busy: Set<SessionID>) {
            self.areAllOpening = areAllOpening
            self.mayBeCompleting = mayBeCompleting
            self.busy = busy
        }
    }

    /// Asks the store the question of the phase.
    package func ask(_ target: SessionTarget) -> SessionStep {
        .ask(.opening(self), question(target.facts, plan: target.plan))
    }

    /// Judges the store's answer to the question of the phase, and returns what the session does next.
    package mutating func step(
        after answer: StoreAnswer, _ target: inout SessionTarget, _ surroundings: Surroundings, probesMax: Int
    ) -> SessionStep {
        switch answered(answer) {
        case .judge(let object):
            if let end = target.judge(object, isFirst: true) { return end }
            return proceed(isOnePart: target.isOnePart) ? ask(target) : .open
        case .choose(let records): return choose(among: records, &target, surroundings, probesMax: probesMax)
        case .ask: return ask(target)
        case .adopt: return .rest(.opening(self))
        case .created(let upload):
            target.created(upload: upload)
            return ask(target)
        case .opened: return .begin
        case .resumed(let entries): return .resume(stored: entries)
        case .uploadUnknown:
            return .search(
                .uploadUnknown, isPatient: surroundings.mayBeCompleting, retry: .nothing, content: .none)
        case .failed: return .refuse(answer.refusal(in: .session))
        }
    }

    private mutating func choose(
        among records: [SessionRecord], _ target: inout SessionTarget, _ surroundings: Surroundings,
        probesMax: Int
    ) -> SessionStep {
        if let own = records.first(where: { $0.session == target.session }) {
            // If the record has no upload id, the store may have an upload whose id is lost. A gateway that cleans the
            // store finds this upload only by this record. So the record stays, and the session is refused.
            guard let upload = own.upload, own.isSameUpload(as: target.facts) else {
                return .refuse(
                    SessionRefused(.sessionLost, message: "the record of the session names no upload of these terms"))
            }
            target.created(upload: upload)
            resume(upload: upload)
        } else if surroundings.areAllOpening {
            probe(target.candidates(among: records, except: surroundings.busy, probesMax: probesMax))
        } else {
            // In one of the slots the agent resumes this very session, so no other session may be adopted in its place.
            probe([])
        }
        return ask(target)
    }
}
