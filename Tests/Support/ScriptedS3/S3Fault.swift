/// What goes wrong with one call. What a store did and what it says of it are two things: each fault says both.
package indirect enum S3Fault: Sendable {
    /// Nothing is done, and an error says so.
    case refuse(status: Int, code: String, headers: [(name: String, value: String)] = [])
    /// The same in the middle of the body, and then the end of the connection.
    case refuseEarly(afterBytes: Int, status: Int, code: String)
    /// Nothing is done, and a 200 comes first, then spaces, then the error.
    case errorInside(code: String, spaces: Int = 3)
    /// It is done, and a 200 comes first, then spaces, then what the body would have been.
    case spacesFirst(count: Int, every: Duration)
    /// It is done, and the answer's body breaks off.
    case truncate(afterBytes: Int)
    /// It is done, and the answer is a 200 without a body.
    case emptyAnswer
    /// It is done, and the connection ends without an answer.
    case loseAnswer
    /// Nothing is done, and the connection ends without an answer.
    case loseRequest
    /// The connection is reset when so many bytes of the body have come.
    case reset(afterBytes: Int)
    /// It is done, and answered after a while.
    case slow(Duration)
    /// It is done, and never answered.
    case silence
    /// Nothing is done, and never answered.
    case deafness
    /// It is done, and the answer has this ETag; an empty one for none.
    case etag(String)
    /// A byte of the body is another one when it arrives.
    case flipByte(at: Int)
    /// It is done, and then somebody else's part of the same size and number takes its place.
    case overwritten
    /// Nothing is done, the connection ends without an answer, and somebody else's object is under the key.
    case foreignObject([UInt8])
    /// A list lacks these parts, as if it lagged behind.
    case hideParts(Set<Int>)
    /// The store's upload, with all its parts, is gone before the call.
    case uploadVanishes
}
