/// A fault of one call. Each fault defines both whether the store executes the call and what it answers.
package indirect enum S3Fault: Sendable {
    /// The store does not execute the call and answers with an error.
    case refuse(status: Int, code: String, headers: [(name: String, value: String)] = [])
    /// The store answers with an error in the middle of the request's body, and then ends the connection. It does not
    /// execute the call.
    case refuseEarly(afterBytes: Int, status: Int, code: String)
    /// The store does not execute the call. It answers with 200, then spaces, then the error.
    case errorInside(code: String, spaces: Int = 3)
    /// The store executes the call. It answers with 200, then spaces, then the normal body.
    case spacesFirst(count: Int, every: Duration)
    /// The store executes the call, and the answer's body breaks off.
    case truncate(afterBytes: Int)
    /// The store executes the call and answers with a 200 without a body.
    case emptyAnswer
    /// The store executes the call, and the connection ends without an answer.
    case loseAnswer
    /// The store does not execute the call, and the connection ends without an answer.
    case loseRequest
    /// The connection is reset after this number of bytes of the body.
    case reset(afterBytes: Int)
    /// The store executes the call and answers after a delay.
    case slow(Duration)
    /// The store executes the call and never answers.
    case silence
    /// The store does not execute the call and never answers.
    case deafness
    /// The store executes the call and answers with this ETag; an empty text omits the ETag.
    case etag(String)
    /// One byte of the body arrives changed.
    case flipByte(at: Int)
    /// The store executes the call; then another writer's part of the same size and number replaces the part.
    case overwritten
    /// The store does not execute the call, the connection ends without an answer, and another program's object is
    /// under the key.
    case foreignObject([UInt8])
    /// A list omits these parts, as if the list were outdated.
    case hideParts(Set<Int>)
    /// The upload and all its parts vanish before the call.
    case uploadVanishes
}
