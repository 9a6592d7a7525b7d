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

/// A part as it was offered on a connection.
struct OfferPlace: Hashable {
    var connection: Int
    var part: PartNumber
}

/// Lines about parts that stand together: those about one part keep their order, others may change places.
struct PartLines {
    struct Queue {
        let place: PartPlace
        /// With the place of each in the conversation.
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

    /// What is left of a slot that was closed says nothing any more.
    mutating func remove(_ slot: SlotPlace) {
        queues.removeAll { $0.place.slot == slot }
    }
}

extension Conversation.FrameLine {
    /// The part that the line is about, and where; `nil` for a line about a session or a connection.
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
    /// Takes the lines as far as it goes.
    ///
    /// - Parameter mayWait: the next line is an answer that the agent may wait for before it sends what is left.
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

    /// - Returns: whether the line could be taken.
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

    /// Lets time pass in which nothing begins and nothing that was deferred is offered again.
    func pause(_ duration: Duration) throws {
        // What has to wait for as long as the pause may be sent at its very end.
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

    /// Looks at what the agent has sent of a part when the gateway says something of it.
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
                sent.removeAll { isAbout(place, $0) && $0.frame == nil }  // Sent ahead: the gateway discards it.
            case .no: sent.removeAll { isAbout(place, $0) && $0.frame == nil }
            }
        default: break
        }
    }

    /// Where the agent has the part of a place of the lines.
    private func actual(_ place: PartPlace) -> PartPlace {
        PartPlace(slot: redirects[place] ?? actual(place.slot), part: place.part)
    }

    /// An agent chooses which of the connections that carry a session a part goes to.
    private func indexOfOffer(of place: PartPlace) -> Int? {
        let home = actual(place.slot)
        let others = sessionIDs.filter { $0.key != home && $0.value == sessionIDs[home] }.keys
        return ([home] + others).lazy.compactMap { slot in
            self.sent.firstIndex { self.isAbout(PartPlace(slot: slot, part: place.part), $0) && $0.frame != nil }
        }.first
    }

    /// Takes the bytes of a line out of those that the agent has sent behind its last offer, however it has cut them.
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

    /// All data behind the last offer of a part was compared.
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
    /// The place of the frame that is lost: the last one before the connection ends of the type with whose name the
    /// sentence begins, where it goes on with "did not arrive".
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
    /// An offer without its MD5, which it may have where a line's has none.
    fileprivate func without(md5Unless line: Frame) -> Frame {
        guard case .partOffer(let offer) = self, case .partOffer(let expected) = line, expected.md5 == nil else {
            return self
        }
        return .partOffer(
            PartOffer(part: offer.part, size: offer.size, isLast: offer.isLast, digest: offer.digest, md5: nil))
    }

    /// A session that the agent drew and the gateway names.
    var session: SessionID? {
        switch self {
        case .sessionOpened(let opened): opened.session
        case .sessionExists(let exists): exists.session
        default: nil
        }
    }

    /// The frame with another session in the place of `session`.
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

    /// Whether it begins a use of a slot.
    var beginsUse: Bool { [.sessionOpen, .resumeQuery, .abort, .prove].contains(type) }

    /// Whether it closes its slot at the agent, whatever the slot's state.
    var closesSlot: Bool { SlotAnswer(self)?.effect(in: .open) == .close }
}
