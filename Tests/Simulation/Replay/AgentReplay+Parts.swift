import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// A part in a slot of a connection.
struct PartPlace: Hashable {
    var slot: SlotPlace
    var part: PartNumber
}

/// A slot of a connection.
struct SlotPlace: Hashable {
    var connection: Int
    var slot: Slot
}

/// A part that was offered on a connection.
struct OfferPlace: Hashable {
    var connection: Int
    var part: PartNumber
}

/// Adjacent lines of a conversation that are about parts. Lines about one part keep their order; lines about different
/// parts may be reordered.
struct PartLines {
    struct Queue {
        let place: PartPlace
        /// Each line with its index in the conversation.
        var lines: [(index: Int, line: Conversation.FrameLine)]
    }

    var queues: [Queue] = []

    mutating func add(_ line: Conversation.FrameLine, index: Int, at place: PartPlace) {
        if let queue = queues.firstIndex(where: { $0.place == place }) {
            queues[queue].lines.append((index, line))
        } else {
            queues.append(Queue(place: place, lines: [(index, line)]))
        }
    }

    /// Drops the remaining lines of a slot that is closed.
    mutating func remove(_ slot: SlotPlace) {
        queues.removeAll { $0.place.slot == slot }
    }
}

extension Conversation.FrameLine {
    /// The slot and the part of a line; `nil` for a line about a session or a connection.
    func place() throws -> PartPlace? {
        switch try content() {
        case .frame(let slot, let frame):
            frame.part.map { PartPlace(slot: SlotPlace(connection: connection, slot: slot), part: $0) }
        case .data(let slot, let header, _):
            PartPlace(slot: SlotPlace(connection: connection, slot: slot), part: header.part)
        }
    }
}

extension AgentReplay {
    /// Compares the agent's lines with what the agent has sent, and delivers the gateway's lines, until none of the
    /// remaining lines can be handled.
    ///
    /// - Parameter mayWait: whether the line after these lines is an answer that the agent may need before it sends its
    ///   remaining frames. If so, the method returns without these frames.
    func take(_ bag: inout PartLines, mayWait: Bool) throws {
        settle()
        while true {
            var isMoving = false
            for queue in bag.queues.indices {
                while let (index, line) = bag.queues[queue].lines.first {
                    position = index + 1
                    guard try take(line, at: bag.queues[queue].place, index: index) else { break }
                    bag.queues[queue].lines.removeFirst()
                    isMoving = true
                }
            }
            bag.queues.removeAll { $0.lines.isEmpty }
            guard let stuck = bag.queues.first?.lines.first, !isMoving else {
                if bag.queues.isEmpty { return }
                continue
            }
            if try answerOfferOfNamedPart() { continue }
            if mayWait { return }
            let count = sent.count
            guard wait(for: { sent.count != count }) else {
                position = stuck.index + 1
                throw failure("the agent did not send \(stuck.line.type) \(stuck.line.fields)")
            }
        }
    }

    private func take(_ line: Conversation.FrameLine, at place: PartPlace, index: Int) throws -> Bool {
        switch (line.sender, try line.content()) {
        case (.gateway, .frame(_, let frame)):
            if index == lostIndex { return true }
            try prepare(for: frame, at: actual(place))
            try deliver(line, to: actual(place).slot)
            return true
        case (.agent, .frame(_, let frame)):
            guard let found = indexOfOffer(of: place), let got = sent[found].frame else { return false }
            guard got.without(md5Unless: frame) == frame else { throw failure("the agent sent \(got), not \(frame)") }
            let offer = sent.remove(at: found)
            redirects[place] = SlotPlace(connection: offer.connection, slot: offer.slot)
        case (_, .data(_, let header, let plain)):
            guard let plain else { throw failure("the block of the line does not decode") }
            guard try takeData(header, at: actual(place)) else { return false }
            guard content(at: place, header, index: index) == plain else {
                throw failure("the file has other bytes than \(hexadecimal(plain))")
            }
        }
        comparedCount += 1
        return true
    }

    /// Advances the clock by a pause of the conversation. Checks that meanwhile the agent begins no use of a slot and
    /// offers no deferred part.
    func pause(_ duration: Duration) throws {
        // The conversation's pause may be exactly the time for which the agent waits before it retries. So the agent
        // may already send at the very end of the pause, and the check leaves out the last milliseconds.
        let end = min(duration, .milliseconds(5))
        schedule.run(for: duration - end)
        let early = sent.first { sent in
            guard let part = sent.part else { return sent.frame?.type != .complete }
            let slot = SlotPlace(connection: sent.connection, slot: sent.slot)
            return deferred.contains(PartPlace(slot: slot, part: part))
        }
        if let early { throw failure("the agent sent \(early.what) in a pause") }
        deferred = []
        schedule.run(for: end)
    }

    /// Checks what the agent has sent of a part. Called before the gateway's frame about that part is delivered.
    private func prepare(for frame: Frame, at place: PartPlace) throws {
        switch frame {
        case .stored: try expectNoMoreData(at: place)
        case .error:
            try expectNoMoreData(at: place)
            deferred.insert(place)
        case .partDecision(let decision):
            switch decision.decision {
            case .send, .have: break
            case .later:
                deferred.insert(place)
                sent.removeAll { isAbout(place, $0) && $0.frame == nil }  // Data sent ahead: the gateway discards it.
            case .no: sent.removeAll { isAbout(place, $0) && $0.frame == nil }
            }
        default: break
        }
    }

    /// The slot in which the agent sends a part. It may differ from the slot in the conversation's line.
    private func actual(_ place: PartPlace) -> PartPlace {
        PartPlace(slot: redirects[place] ?? actual(place.slot), part: place.part)
    }

    /// Finds the agent's offer of a part. The agent may choose any connection that carries the session, so the
    /// connection may differ from that of the line.
    private func indexOfOffer(of place: PartPlace) -> Int? {
        let home = actual(place.slot)
        let others = sessionIDs.filter { $0.key != home && $0.value == sessionIDs[home] }.keys
        return ([home] + others).lazy.compactMap { slot in
            self.sent.firstIndex { self.isAbout(PartPlace(slot: slot, part: place.part), $0) && $0.frame != nil }
        }.first
    }

    /// Removes a line's bytes from the data that the agent has sent since it last offered the part. The agent may have
    /// cut the data into other chunks than the line.
    private func takeData(_ header: PartDataHeader, at place: PartPlace) throws -> Bool {
        let end = header.offset + UInt64(header.plainBytes)
        var reached = header.offset
        var taken: [Int] = []
        for (index, sent) in sent.enumerated() where isAbout(place, sent) {
            guard case .data(_, let range) = sent.what else { break }
            guard range.lowerBound == reached else {
                throw failure("the agent sent part \(place.part) from \(range.lowerBound), not from \(reached)")
            }
            reached = range.upperBound
            taken.append(index)
            if reached >= end { break }
        }
        guard reached >= end, let last = taken.last else { return false }
        if reached > end {
            sent[last].what = .data(place.part, end..<reached)
            taken.removeLast()
        }
        for index in taken.reversed() { sent.remove(at: index) }
        return true
    }

    func isAbout(_ place: PartPlace, _ sent: Sent) -> Bool {
        sent.connection == place.slot.connection && sent.slot == place.slot.slot && sent.part == place.part
    }

    /// Checks that the lines account for all data that the agent has sent since it last offered the part.
    func expectNoMoreData(at place: PartPlace) throws {
        guard let rest = sent.first(where: { isAbout(place, $0) }), case .data = rest.what else { return }
        throw failure("no line has what the agent sent: \(rest.what) of part \(place.part)")
    }

    private func content(at place: PartPlace, _ header: PartDataHeader, index: Int) -> [UInt8]? {
        guard let key = script.key(connection: place.slot.connection, slot: place.slot.slot, line: index),
            let (file, partBytes) = file(of: key)
        else { return nil }
        let start = UInt64(place.part.value - 1) * partBytes + header.offset
        return file.read(start: start, count: UInt64(header.plainBytes))
    }
}

extension Conversation {
    /// The index of the frame that is lost with its connection. The sentence of the conversation names the frame's
    /// type, followed by "did not arrive"; the lost frame is the last frame of this type before the connection ends.
    func indexOfLostFrame() throws -> Int? {
        guard let words = sentence.firstRange(of: " did not arrive") else { return nil }
        let name = sentence[..<words.lowerBound]
        let end = lines.firstIndex { if case .close = $0 { true } else { false } } ?? lines.endIndex
        return lines[..<end].lastIndex { line in
            if case .frame(let frame) = line { frame.type.description == name } else { false }
        }
    }
}

extension Frame {
    /// An MD5 is optional, so an offer with an MD5 equals the same offer without one.
    fileprivate func without(md5Unless line: Frame) -> Frame {
        guard case .partOffer(let offer) = self, case .partOffer(let expected) = line, expected.md5 == nil else {
            return self
        }
        return .partOffer(
            PartOffer(part: offer.part, size: offer.size, isLast: offer.isLast, digest: offer.digest, md5: nil))
    }

    /// The id of the session in a gateway's frame. The agent has chosen this id, so it differs from that in the
    /// conversation.
    var session: SessionID? {
        switch self {
        case .sessionOpened(let opened): opened.session
        case .sessionExists(let exists): exists.session
        default: nil
        }
    }

    /// The frame with another session id.
    func with(_ session: SessionID) -> Frame {
        switch self {
        case .sessionOpened(let opened):
            .sessionOpened(
                SessionOpened(
                    session: session, partBytes: opened.partBytes, token: opened.token, adoption: opened.adoption))
        case .sessionExists(let exists):
            .sessionExists(
                SessionExists(
                    size: exists.size, partBytes: exists.partBytes, evidence: exists.evidence, etag: exists.etag,
                    version: exists.version, session: session))
        default: self
        }
    }

    /// Whether the frame begins a use of a slot.
    var beginsUse: Bool { [.sessionOpen, .resumeQuery, .abort, .prove].contains(type) }

    /// Whether the frame closes an open slot at the agent.
    var closesSlot: Bool { SlotAnswer(self)?.effect(in: .open) == .close }
}
