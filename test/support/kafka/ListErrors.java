import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.Errors;

/** Prints the protocol's error table, a line each: the code, its name, whether Kafka's clients repeat the request. */
class ListErrors {
  public static void main(String[] arguments) {
    for (Errors error : Errors.values())
      System.out.println(error.code() + " " + error.name() + " " + (error.exception() instanceof RetriableException));
  }
}
