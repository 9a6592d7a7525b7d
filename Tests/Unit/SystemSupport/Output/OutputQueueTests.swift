import SystemSupport
import Testing

/// Tests of the queue that decides which text of an output is kept, written or lost.
@Suite struct OutputQueueTests {
    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    private static func taken(from queue: inout OutputQueue) -> String? {
        queue.take().map { String(decoding: $0, as: UTF8.self) }
    }

    /// Reports to the queue that this text, which it has handed out, was written completely.
    private static func write(_ text: String, of queue: inout OutputQueue) {
        queue.wrote(text.utf8.count, endsLine: text.hasSuffix("\n"))
    }

    @Test func textIsTakenInOrderAndOnce() {
        var queue = OutputQueue(bytesMax: 100)
        #expect(queue.add(Self.bytes("one\n")) == .queued)
        #expect(queue.add(Self.bytes("two\n")) == .queued)
        #expect(Self.taken(from: &queue) == "one\ntwo\n")
        #expect(queue.add(Self.bytes("three\n")) == .queued)
        #expect(queue.take() == nil, "the writer has not written the first batch")
        #expect(queue.pendingBytes == 14)
        Self.write("one\ntwo\n", of: &queue)
        #expect(Self.taken(from: &queue) == "three\n")
        Self.write("three\n", of: &queue)
        #expect(queue.pendingBytes == 0 && queue.writtenBytes == 14 && queue.loss == nil)
    }

    @Test func textBeyondTheLimitWaits() {
        var queue = OutputQueue(bytesMax: 8)
        #expect(queue.add(Self.bytes("a text longer than the limit\n")) == .queued, "it would never fit otherwise")
        #expect(queue.add(Self.bytes("x")) == .full)
        _ = queue.take()
        #expect(queue.add(Self.bytes("x")) == .full, "bytes under way count")
        Self.write("a text longer than the limit\n", of: &queue)
        #expect(queue.add(Self.bytes("12345678")) == .queued)
        #expect(queue.add(Self.bytes("9")) == .full)
        #expect(queue.loss == nil, "text that waits is not lost")
        queue.giveUp(.stalled)
        #expect(queue.loss == .stalled)
    }

    @Test func lastingFailureLosesAllText() {
        var queue = OutputQueue(bytesMax: 100)
        _ = queue.add(Self.bytes("one\n"))
        _ = queue.take()
        _ = queue.add(Self.bytes("two\n"))
        queue.failed(32, isLasting: true)
        #expect(queue.loss == .failed(32))
        #expect(queue.add(Self.bytes("three\n")) == .lost)
        queue.addOrOmit(Self.bytes("four\n"))
        #expect(queue.pendingBytes == 0 && queue.take() == nil)
    }

    /// The queue first ends the line that was cut off, so that the next line stands alone.
    @Test func textAfterAPassingFailureIsWritten() {
        var queue = OutputQueue(bytesMax: 100)
        _ = queue.add(Self.bytes("first line\n"))
        _ = queue.take()
        queue.wrote(5, endsLine: false)
        queue.failed(28, isLasting: false)
        #expect(queue.add(Self.bytes("second line\n")) == .queued)
        #expect(Self.taken(from: &queue) == "\nsecond line\n")
        Self.write("\nsecond line\n", of: &queue)
        _ = queue.add(Self.bytes("third line\n"))
        #expect(Self.taken(from: &queue) == "third line\n")
        #expect(queue.loss == .failed(28), "the first loss stays known")
    }

    @Test func textWithoutALineFeedIsContinued() {
        var queue = OutputQueue(bytesMax: 100)
        _ = queue.add(Self.bytes("now or later? "))
        _ = queue.take()
        Self.write("now or later? ", of: &queue)
        _ = queue.add(Self.bytes("rest\n"))
        #expect(Self.taken(from: &queue) == "rest\n")
    }

    @Test func omittedLinesOfTheLogAreCounted() {
        var queue = OutputQueue(bytesMax: 10)
        queue.addOrOmit(Self.bytes("blocked\n"))
        #expect(Self.taken(from: &queue) == "blocked\n")
        queue.addOrOmit(Self.bytes("too long\n"))
        queue.addOrOmit(Self.bytes("x\n"))
        #expect(queue.pendingBytes == 8, "the short line would stand before the count of the long one")
        Self.write("blocked\n", of: &queue)
        #expect(Self.taken(from: &queue) == "2 lines of the log left out: this output was not read\n")
        #expect(queue.loss == nil, "a line of the log is no result")
    }

    @Test func oneOmittedLineIsCounted() {
        var queue = OutputQueue(bytesMax: 4)
        queue.addOrOmit(Self.bytes("one\n"))
        queue.addOrOmit(Self.bytes("two\n"))
        #expect(Self.taken(from: &queue) == "one\n1 line of the log left out: this output was not read\n")
        Self.write("one\n1 line of the log left out: this output was not read\n", of: &queue)
        queue.addOrOmit(Self.bytes("six\n"))
        #expect(Self.taken(from: &queue) == "six\n")
    }

    @Test(
        arguments: [
            (0, nil, 0, nil), (75, nil, 75, nil), (0, .failed(32), 74, nil), (1, .failed(32), 1, nil),
            (0, .failed(28), 74, "standard output could not be written: No space left on device."),
            (69, .failed(28), 69, "standard output could not be written: No space left on device."),
            (0, .failed(9), 74, "standard output could not be written: Bad file descriptor."),
            (0, .stalled, 74, "standard output was not read, so a part of it is lost."),
        ] as [(Int32, OutputQueue.Loss?, Int32, String?)])
    func lostResultsChangeTheExitCode(code: Int32, loss: OutputQueue.Loss?, ended: Int32, sentence: String?) {
        let ending = OutputEnding(code: code, loss: loss)
        #expect(ending.code == ended)
        #expect(ending.sentence == sentence)
    }
}
