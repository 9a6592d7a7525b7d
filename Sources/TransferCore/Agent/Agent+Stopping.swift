import TransferCommon

// Stopping, and ending for good.
//
//   from      event                                                 to
//   running   stop                                                  stopping
//   stopping  nothing is under way any more                         ended
//   stopping  the deadline, or a second stop                        ended
//   running, stopping  no gateway serves this agent; journal fails  ended
//
// While stopping, a part goes on if the connection's measured rate can carry the rest of it within the grace, and a
// session whose parts are all stored is completed. In `ended` the connections are closed without SESSION LEAVE: the
// gateway takes that for a cut and keeps the bytes that it has received (`GatewayLimits.partGrace`), so that the next
// run goes on at the byte. A stop therefore loses nothing that a crash keeps.

extension Agent {
    /// Why every upload ends, once no upload is taken up any more.
    package var verdict: UploadFailure? {
        if case .ended(let failure) = phase { failure } else { nil }
    }

    /// Why an upload that is handed in now cannot begin.
    var refusal: UploadFailure? {
        switch phase {
        case .running: nil
        case .stopping: .interrupted
        case .ended(let failure): failure
        }
    }

    /// Withholds what cannot be finished within the grace. A second stop ends the run at once.
    mutating func stop() {
        switch phase {
        case .running:
            phase = .stopping(deadline: context.now + context.limits.stopGrace)
            let parts = partsWithinGrace()
            for id in inOrder(uploads.keys) { uploads[id]?.withholdParts(except: parts[id] ?? [], &context) }
            giveUpProofs(.interrupted)
            proceed()
        case .stopping: giveUp(.interrupted)
        case .ended: break
        }
    }

    /// The parts whose remaining bytes fit into the grace at the rate of their connection, the smallest rest first. A
    /// connection whose rate is not known yet carries all of its parts on.
    private func partsWithinGrace() -> [UploadID: Set<PartNumber>] {
        var chosen: [UploadID: Set<PartNumber>] = [:]
        for (id, connection) in context.connections {
            guard let rate = connection.opened?.rate.bytesPerSecond else { continue }
            let bytesMax = rate * context.limits.stopGrace.inSeconds
            let rests = uploadsOn(id).flatMap { upload in
                (uploads[upload]?.rests(on: id) ?? []).map { (upload: upload, part: $0.part, bytes: $0.bytes) }
            }
            var sum: UInt64 = 0
            for rest in rests.sorted(by: { ($0.bytes, $0.upload, $0.part) < ($1.bytes, $1.upload, $1.part) }) {
                sum &+= rest.bytes
                guard rate == 0 || Double(sum) <= bytesMax else { break }
                chosen[rest.upload, default: []].insert(rest.part)
            }
        }
        return chosen
    }

    /// Called after every event while the agent is stopping.
    mutating func endWhatHasStopped() {
        for id in inOrder(uploads.keys) where uploads[id]?.isWorthFinishing == false {
            uploads[id]?.giveUpWithConnections(.interrupted, &context)
        }
        if !uploads.values.contains(where: \.isWorthFinishing) { giveUp(.interrupted) }
    }

    /// Every upload ends with the reason, and what was begun is kept.
    mutating func giveUp(_ failure: UploadFailure) {
        guard verdict == nil else { return }
        phase = .ended(failure)
        for id in inOrder(uploads.keys) { uploads[id]?.giveUpWithConnections(failure, &context) }
        giveUpProofs(failure)
        closeConnections()
    }

    mutating func closeConnections() {
        for (id, connection) in context.connections.sorted(by: { $0.key < $1.key }) {
            if case .away = connection.phase { continue }
            context.actions.append(.close(id))
        }
        context.connections = [:]
    }
}

extension UploadFailure {
    fileprivate static let interrupted = UploadFailure(.stopped, "interrupted")
}
