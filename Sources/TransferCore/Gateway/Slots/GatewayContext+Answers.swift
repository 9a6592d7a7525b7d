import TransferCommon
import WireProtocol

// The lists of stored parts that follow RESUME STATE and SESSION OPENED: `AnswerQueue` decides when a page is sent.

extension GatewayContext {
    /// Adds a list of stored parts, which follows the answer in a slot; returns whether the budget has room for it.
    mutating func beginAnswer(_ parts: PartSet, at attachment: Attachment, of device: SHA256Digest) -> Bool {
        guard !parts.isEmpty else { return true }
        let device = answers.device(on: attachment.connection) ?? device
        guard reserve(parts.memoryBytes, device: device) else { return false }
        answers.begin(parts, at: attachment, device: device)
        return true
    }

    /// Sends the next page in a slot; returns `false` if the page waits for room in the budget.
    mutating func sendPage(at attachment: Attachment, entry: (PartNumber) -> PartListEntry?) -> Bool {
        let id = attachment.connection
        guard let device = answers.device(on: id) else { return false }
        let bytesMax = limits(of: device).answerPageBytes
        guard let page = answers.page(at: attachment, bytesMax: bytesMax, entry: entry) else { return false }
        guard reserve(page.frameBytes, device: device) else {
            answers.waitsForRoom(page.frameBytes, on: id)
            return false
        }
        send(.partList(page.list), to: attachment)
        actions.append(.reportWritten(id, bytes: page.frameBytes))
        reservations.release(answers.sent(page, at: attachment), device: device)
        return true
    }

    /// Drops the rest of the list in a slot that is closed or left.
    mutating func endAnswer(at attachment: Attachment) {
        guard let device = answers.device(on: attachment.connection) else { return }
        reservations.release(answers.closed(attachment), device: device)
    }

    /// Drops the lists of a connection that has ended.
    mutating func endAnswers(on id: ConnectionID) {
        guard let device = answers.device(on: id) else { return }
        reservations.release(answers.connectionLost(id), device: device)
    }

    /// Sends the next pages, because earlier ones were written. `stored` gives the stored parts of a slot's session.
    mutating func pagesWritten(_ bytes: UInt64, on id: ConnectionID, stored: (Attachment) -> StoredParts?) {
        guard let device = answers.device(on: id) else { return }
        reservations.release(answers.written(bytes, on: id), device: device)
        sendPages(on: id, stored: stored)
    }

    private mutating func sendPages(on id: ConnectionID, stored: (Attachment) -> StoredParts?) {
        while let attachment = answers.nextSlot(on: id, limits) {
            guard let stored = stored(attachment) else {
                endAnswer(at: attachment)
                continue
            }
            guard sendPage(at: attachment, entry: { stored[$0] }) else { return }
        }
    }

    /// Sends pages that waited for room in the budget. `stored` gives the stored parts of a slot's session.
    mutating func sendWaitingPages(stored: (Attachment) -> StoredParts?) {
        for (id, bytes) in answers.takeWaiting(AnswerQueue.waitingTriedMax) {
            guard let device = answers.device(on: id) else { continue }
            // Reserve the room before the page is made again: making a page takes far longer than finding that there is
            // no room.
            guard reserve(bytes, device: device) else {
                answers.waitsForRoom(bytes, on: id)
                continue
            }
            reservations.release(bytes, device: device)
            sendPages(on: id, stored: stored)
        }
    }
}
