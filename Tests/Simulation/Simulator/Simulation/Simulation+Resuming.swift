import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

// Counts the parts that gateways name to resuming agents, and implements the canary `takesForeignPartials`.

extension Simulation {
    /// Counts adopted sessions, and the parts that gateways name. Called with each frame of a gateway.
    func countResumption(_ frame: Frame) {
        switch frame {
        case .resumeState(let state):
            if !state.partials.isEmpty { count("partials are named") }
            if state.partials.contains(where: { isForeign($0, state.token) }) { count("a foreign partial is named") }
        case .sessionOpened(let opened):
            guard let adoption = opened.adoption else { return }
            count("a session is adopted")
            if !adoption.partials.isEmpty { count("a session is adopted with partials") }
            if adoption.candidateParts > 0 { count("a session is adopted with parts") }
            if adoption.partials.contains(where: { isForeign($0, opened.token) }) {
                count("a foreign partial is named")
            }
        default:
            break
        }
    }

    /// Whether the partial's digest differs from the digest of this part in every current file for the session's key.
    private func isForeign(_ partial: PartialPart, _ token: [UInt8]) -> Bool {
        guard let terms = monitor.terms(of: token) else { return false }
        return !jobs.contains { $0.key == terms.key && digest(of: partial.part, in: $0.file, terms) == partial.digest }
    }

    private func digest(of part: PartNumber, in file: VirtualFile, _ terms: SessionTerms) -> SHA256Digest? {
        let plan = PartPlan(fileBytes: UInt64(file.bytes.count), partBytes: terms.partBytes)
        guard let plan, let count = plan.bytes(of: part) else { return nil }
        return file.read(start: plan.start(of: part), count: count).map(ToyDigest.sha256)
    }

    /// Returns the frame with the digests of the agent's own file in place of the gateway's digests. To an agent that
    /// reads this frame, every partial seems to have the content of its file.
    func withOwnDigests(_ frame: Frame, of agent: AgentHost) -> Frame {
        func own(_ partials: [PartialPart], _ token: [UInt8]) -> [PartialPart] {
            guard let terms = monitor.terms(of: token),
                let job = jobs.first(where: { $0.agent == agent.number && $0.key == terms.key })
            else { return partials }
            return partials.map { partial in
                PartialPart(
                    part: partial.part, digest: digest(of: partial.part, in: job.file, terms) ?? partial.digest,
                    offset: partial.offset, limit: partial.limit)
            }
        }
        switch frame {
        case .resumeState(let state):
            return .resumeState(
                ResumeState(
                    phase: state.phase, partBytes: state.partBytes, candidateParts: state.candidateParts,
                    partials: own(state.partials, state.token), wanted: state.wanted, token: state.token))
        case .sessionOpened(let opened):
            guard let adoption = opened.adoption else { return frame }
            return .sessionOpened(
                SessionOpened(
                    session: opened.session, partBytes: opened.partBytes, token: opened.token,
                    adoption: .init(
                        candidateParts: adoption.candidateParts, partials: own(adoption.partials, opened.token))))
        default:
            return frame
        }
    }
}
